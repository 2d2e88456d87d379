using System.Security.Cryptography;
using System.Text;
using Microsoft.EntityFrameworkCore.Storage;
using NetAutomation.Billing;
using NetAutomation.Persistence;
using NetAutomation.Runs.Follow;
using NetAutomation.Runs.Plans;
using NetAutomation.Web;
using NetAutomation.Web.Telemetry;

namespace NetAutomation.Runs;

/// <summary>
/// The ends of a run, each in one transaction: outcomes of the devices that have none, with their events, settlement, usage, receipts,
/// state, holds. A run with a device whose outcome is unknown stays unknown and unsettled, and only such devices stay held.
/// </summary>
internal sealed class RunEndings(
    NetAutomationDb db, UsageLedger ledger, PlanStates plans, RunSignals signals, RunMetrics metrics, TimeProvider clock)
{
    private const string Worker = "worker";
    private const string Drift = "drift";
    private const string Cancelled = "cancelled";
    private const string WorkerLost = "worker_lost";

    /// <summary>
    /// The worker has done what it could with the devices of this attempt. Where the run has others, it goes on from the queue. False: the
    /// fence has moved on, or the run was ended before.
    /// </summary>
    /// <param name="notStarted">Why the devices of this attempt without an outcome were not started: a code.</param>
    public async Task<bool> Finish(ClaimedRun run, string? notStarted, CancellationToken cancel)
    {
        await using var transaction = await db.Begin(run.Tenant, cancel);
        if (await Lock(run.Tenant, run.Id, $"fence = {run.Fence} and not terminal", cancel) is not var (head, found))
        {
            return false;
        }

        var taken = run.Devices.Select(device => device.Id).ToHashSet();
        var devices = ConcludeRest(
            run.Tenant, run.Id, found, device => taken.Contains(device.DeviceId), notStarted ?? (head.Cancelled ? Cancelled : null));
        var stops = head.Cancelled ? Cancelled
            : devices.Count(device => device.Outcome?.IsFailure() == true) > run.Guard?.MaxFailures ? "max_failures" : null;
        devices = stops is null ? devices : ConcludeRest(run.Tenant, run.Id, devices, device => !device.Begun, stops);
        if (devices.Exists(device => device.Left))
        {
            return await GoOn(run, transaction, cancel);
        }

        var failed = devices.Count(device => !device.Good);
        var move = devices.Exists(device => device.Outcome == DeviceOutcome.Unknown) ? RunMove.LeaveUnknown
            : failed == 0 ? RunMove.Succeed
            : head.Cancelled && devices.Exists(device => device.LeftByCancel) ? RunMove.FinishCancelled
            : RunMove.Fail;
        var moved = move == RunMove.LeaveUnknown
            ? await move.Make(db, run.Tenant, run.Id, run.Fence, Worker, cancel, "device_unknown")
            : await move.Make(
                db, run.Tenant, run.Id, run.Fence, Worker, cancel, charged: await Settle(run.Tenant, run.Id, head, devices, cancel),
                failure: move == RunMove.Fail ? new RunFailure("devices_failed", $"{failed} of {devices.Count}") : null);
        if (!moved)
        {
            return false;
        }

        await TellPlan(run.Tenant, head, move.To, devices, cancel);
        await transaction.CommitAsync(cancel);
        signals.RingNews(run.Id);
        signals.RingWork();
        metrics.Ended(head.Block, devices.Select(device => device.Platform), move.To, head.Ran);
        return true;
    }

    /// <summary>
    /// Ends a run that no worker has begun, and asks the worker of any other. Where a lost one has begun changes under a guard, they are
    /// still looked at, by an attempt that begins nothing. True: it is ended.
    /// </summary>
    public async Task<bool> Cancel(TenantId tenant, RunId run, string by, CancellationToken cancel)
    {
        var ended = await End(tenant, run, RunMove.Cancel, by, null, cancel);
        if (!ended)
        {
            await RunMove.AskCancel.Make(db, tenant, run, null, by, cancel);
        }

        return ended;
    }

    /// <summary>Ends a run that was not started in time.</summary>
    public Task<bool> Expire(TenantId tenant, RunId run, CancellationToken cancel) =>
        End(tenant, run, RunMove.Expire, "scheduler", new RunFailure("start_by_passed", null), cancel);

    /// <summary>
    /// A person's verdict on an unknown run. Devices the worker had finished are billed as they were; the unknown ones only where the
    /// verdict says that they were completed.
    /// </summary>
    public async Task<bool> Resolve(
        TenantId tenant, RunId run, IReadOnlyDictionary<DeviceId, DeviceOutcome> outcomes, bool billed, string resolution, string by,
        CancellationToken cancel)
    {
        if (await Lock(tenant, run, $"state in {RunStates.In(RunMove.Resolve.From)}", cancel) is not var (head, found))
        {
            return false;
        }

        foreach (var same in outcomes.GroupBy(pair => pair.Value, pair => pair.Key.Value))
        {
            Conclude(tenant, run, [.. same], same.Key, "resolved");
        }

        db.SendWithNext(
            $"update runs.run set resolution = {resolution}::jsonb where tenant_id = {tenant.Value} and id = {run.Value}");
        var devices = found.ConvertAll(device =>
            device.Outcome == DeviceOutcome.Unknown && outcomes.TryGetValue(device.DeviceId, out var resolved)
                ? device with { Outcome = resolved, Contacted = true } : device);
        var resolved = await RunMove.Resolve.Make(
            db, tenant, run, null, by, cancel, charged: await Settle(tenant, run, head, devices, cancel, billed ? null : outcomes));
        await TellPlan(tenant, head, RunMove.Resolve.To, devices, cancel);
        return resolved;
    }

    /// <summary>What is left is for another attempt, which the queue tells what to do with it.</summary>
    private async Task<bool> GoOn(ClaimedRun run, IDbContextTransaction transaction, CancellationToken cancel)
    {
        if (!await RunMove.GoOn.Make(db, run.Tenant, run.Id, run.Fence, Worker, cancel, "devices_left"))
        {
            return false;
        }

        await transaction.CommitAsync(cancel);
        signals.RingNews(run.Id);
        signals.RingWork();
        return true;
    }

    /// <summary>
    /// Ends a run that no worker executes. Where a lost attempt may have configured a device, it is unknown instead; where that is still to
    /// be looked at, the run is cancelled and stays.
    /// </summary>
    private async Task<bool> End(TenantId tenant, RunId run, RunMove move, string by, RunFailure? failure, CancellationToken cancel)
    {
        if (await Lock(tenant, run, $"state in {RunStates.In(move.From)}", cancel) is not var (head, found))
        {
            return false;
        }

        var devices = ConcludeRest(tenant, run, found, device => !device.Begun, Wire.Name(move.To));
        if (devices.Exists(device => device.Left))
        {
            db.SendWithNext(
                $"""
                update runs.run set cancel_requested_at = coalesce(cancel_requested_at, now())
                where tenant_id = {tenant.Value} and id = {run.Value}
                """);
            return false;
        }

        if (devices.Exists(device => device.Outcome == DeviceOutcome.Unknown))
        {
            return await RunMove.GiveUp.Make(db, tenant, run, null, by, cancel, Wire.Name(move.To));
        }

        var ended = await move.Make(
            db, tenant, run, null, by, cancel, charged: await Settle(tenant, run, head, devices, cancel), failure: failure);
        await TellPlan(tenant, head, move.To, devices, cancel);
        return ended;
    }

    /// <summary>What the end of its check, or of its apply, makes of the run's plan.</summary>
    private Task TellPlan(TenantId tenant, Head head, RunState to, List<Device> devices, CancellationToken cancel) =>
        head.PlanId is not { } plan ? Task.CompletedTask
        : head.Mode == RunMode.Check ? plans.Checked(tenant, plan, to, devices.Count(device => device.Good), devices.Count, cancel)
        : devices.TrueForAll(device => device.Code == Drift) ? plans.Drifted(tenant, plan, cancel)
        : Task.CompletedTask;

    /// <summary>
    /// Those of these devices that have no outcome yet were not started. Those that a lost attempt may have configured, and that nobody has
    /// looked at since, are unknown.
    /// </summary>
    private List<Device> ConcludeRest(TenantId tenant, RunId run, List<Device> devices, Predicate<Device> which, string? code)
    {
        var rest = devices.FindAll(device => device.Left && which(device));
        foreach (var same in rest.GroupBy(device => device.Verify, device => device.DeviceId.Value))
        {
            Conclude(
                tenant, run, [.. same], same.Key ? DeviceOutcome.Unknown : DeviceOutcome.NotStarted, same.Key ? WorkerLost : code);
        }

        return devices.ConvertAll(device =>
            !device.Left || !which(device) ? device
            : device.Verify ? device with { Outcome = DeviceOutcome.Unknown, Code = WorkerLost }
            : device with { Outcome = DeviceOutcome.NotStarted, Code = code });
    }

    private void Conclude(TenantId tenant, RunId run, Guid[] devices, DeviceOutcome outcome, string? code)
    {
        bool? changed = outcome == DeviceOutcome.Unknown ? null : outcome == DeviceOutcome.Changed;
        db.SendWithNext($"call runs.conclude({tenant.Value}, {run.Value}, {devices}, {Wire.Name(outcome)}, {changed}, {code})");
    }

    /// <summary>
    /// Locks the run and reads the facts of its end; null where the run does not meet the condition. The time it ran is that with a worker:
    /// not in the queue between attempts, and not while it was unknown.
    /// </summary>
    private async Task<(Head Head, List<Device> Devices)?> Lock(
        TenantId tenant, RunId run, FormattableString condition, CancellationToken cancel)
    {
        var (heads, devices) = await db.Query<Head, Device>(
            $"""
            select block, digest, engine_version, input_hash, trace_parent, plan_id, mode, cancel_requested_at is not null as cancelled, (
              select coalesce(sum(coalesce(e.at, now()) - s.at), '0') from runs.run_transition s
                left join lateral (
                  select n.at from runs.run_transition n
                  where n.tenant_id = s.tenant_id and n.run_id = s.run_id and n.seq > s.seq and n.to_state not in {RunStates.UnderWay}
                  order by n.seq limit 1) e on true
              where s.tenant_id = r.tenant_id and s.run_id = r.id and s.to_state in {RunStates.Running}) as ran
            from runs.run r where tenant_id = {tenant.Value} and id = {run.Value} and {condition} for update of r
            """,
            $"""
            select device_id, d.platform, outcome, code, r.platforms ->> d.platform as platform_digest, diff, before_hash, after_hash,
              verify or kept_at is not null as verify, kept_at is not null as begun, contacted
            from runs.run_device d join runs.run r on r.tenant_id = d.tenant_id and r.id = d.run_id
            where d.tenant_id = {tenant.Value} and d.run_id = {run.Value} order by position
            """,
            cancel);
        return heads is [var head] ? (head, devices) : null;
    }

    /// <param name="unbilled">Devices that cost nothing, whatever their outcome.</param>
    private async Task<Money> Settle(
        TenantId tenant, RunId run, Head head, List<Device> devices, CancellationToken cancel,
        IReadOnlyDictionary<DeviceId, DeviceOutcome>? unbilled = null)
    {
        var facts = devices.ConvertAll(device => new DeviceFact(
            device.DeviceId, Wire.Name(device.Outcome!.Value), device.PlatformDigest,
            device is { Good: true, Contacted: true } && unbilled?.ContainsKey(device.DeviceId) != true,
            device.Diff is null ? null : $"sha256:{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(device.Diff)))}",
            device.BeforeHash, device.AfterHash));
        using var span = Spans.StartIn(head.TraceParent, "settle");
        var begun = clock.GetTimestamp();
        var price =
            await ledger.Settle(
                tenant, new RunFacts(run, head.Block, head.Digest, head.EngineVersion, head.InputHash, head.Ran, facts), cancel);
        metrics.Settled(clock.GetElapsedTime(begun));
        return price;
    }

    private sealed record Head(
        string Block, string Digest, string? EngineVersion, string InputHash, string? TraceParent, PlanId? PlanId, RunMode Mode,
        bool Cancelled, TimeSpan Ran);

    private sealed record Device(
        DeviceId DeviceId, string Platform, DeviceOutcome? Outcome, string? Code, string? PlatformDigest, string? Diff, string? BeforeHash,
        string? AfterHash, bool Verify, bool Begun, bool Contacted)
    {
        public bool Left => Outcome is null;

        public bool Good => Outcome?.IsGood() == true;

        public bool LeftByCancel => Outcome == DeviceOutcome.NotStarted || Code == Cancelled
            // It went back by the loss of its worker, before the cancel could have it go back.
            || (Outcome == DeviceOutcome.Reverted && Code is WorkerLost or "worker_stopped");
    }
}
