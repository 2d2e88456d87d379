using System.Security.Cryptography;
using System.Text;
using NetAutomation.Billing;
using NetAutomation.Persistence;
using NetAutomation.Runs.Follow;
using NetAutomation.Web;
using NetAutomation.Web.Telemetry;

namespace NetAutomation.Runs;

/// <summary>
/// The ends of a run, each in one transaction: outcomes of the devices that have none, with their events, settlement, usage, receipts,
/// state, holds. A run with a device whose outcome is unknown stays unknown and unsettled, and only such devices stay held.
/// </summary>
internal sealed class RunEndings(NetAutomationDb db, UsageLedger ledger, RunSignals signals, RunMetrics metrics, TimeProvider clock)
{
    private const string Worker = "worker";
    private static readonly HashSet<DeviceId> _none = [];

    /// <summary>The worker is through. False: the fence has moved on, or it was ended before.</summary>
    /// <param name="rest">Why the devices without an outcome were not started: a code.</param>
    public async Task<bool> Finish(ClaimedRun run, bool cancelled, string? rest, CancellationToken cancel)
    {
        await using var transaction = await db.Begin(run.Tenant, cancel);
        if (await Facts(run.Tenant, run.Id, $"and fence = {run.Fence} and not terminal for update of r", cancel) is not var (head, found))
        {
            return false;
        }

        Conclude(run.Tenant, run.Id, null, DeviceOutcome.NotStarted, rest);
        var devices = found.ConvertAll(
            device => device.Outcome is null ? device with { Outcome = DeviceOutcome.NotStarted, Code = rest } : device);
        var outcome = RunState.Unknown;
        if (devices.Exists(device => device.Outcome == DeviceOutcome.Unknown))
        {
            await RunMove.LeaveUnknown.Make(db, run.Tenant, run.Id, run.Fence, Worker, cancel, "device_unknown");
            await db.Execute($"select runs.release_known({run.Tenant.Value}, {run.Id.Value})", cancel);
        }
        else
        {
            var failed = devices.Count(device => !device.Good);
            var move = failed == 0 ? RunMove.Succeed
                : cancelled && devices.Exists(device => device.LeftByCancel) ? RunMove.FinishCancelled
                : RunMove.Fail;
            outcome = move.To;
            var price = await Settle(run.Tenant, run.Id, head, devices, _none, cancel);
            var failure = move == RunMove.Fail ? new RunFailure("devices_failed", $"{failed} of {devices.Count}") : null;
            if (!await move.Make(db, run.Tenant, run.Id, run.Fence, Worker, cancel, charged: price, failure: failure))
            {
                return false;
            }
        }

        await transaction.CommitAsync(cancel);
        signals.RingNews(run.Id);
        signals.RingWork();
        metrics.Ended(head.Block, devices.Select(device => device.Platform), outcome, head.Ran);
        return true;
    }

    /// <summary>Ends a run that no worker has begun, and asks the worker of any other. True: it is ended.</summary>
    public async Task<bool> Cancel(TenantId tenant, RunId run, string by, CancellationToken cancel)
    {
        var ended = await End(tenant, run, RunMove.Cancel, by, null, cancel);
        if (!ended)
        {
            await RunMove.AskCancel.Make(db, tenant, run, null, by, cancel);
        }

        return ended;
    }

    /// <summary>It was not started in time.</summary>
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
        if (!await Lock(tenant, run, RunMove.Resolve, cancel))
        {
            return false;
        }

        foreach (var found in outcomes.GroupBy(pair => pair.Value, pair => pair.Key.Value))
        {
            Conclude(tenant, run, [.. found], found.Key, "resolved");
        }

        await db.Execute(
            $"update runs.run set resolution = {resolution}::jsonb where tenant_id = {tenant.Value} and id = {run.Value}", cancel);
        var (head, devices) = (await Facts(tenant, run, $"", cancel))!.Value;
        var price = await Settle(tenant, run, head, devices, billed ? _none : [.. outcomes.Keys], cancel);
        return await RunMove.Resolve.Make(db, tenant, run, null, by, cancel, charged: price);
    }

    /// <summary>Ends a run that no worker executes. Where a lost attempt may have configured a device, it is unknown instead.</summary>
    private async Task<bool> End(TenantId tenant, RunId run, RunMove move, string by, RunFailure? failure, CancellationToken cancel)
    {
        if (!await Lock(tenant, run, move, cancel))
        {
            return false;
        }

        var doubtful = await db.Query<DeviceId>(
            $"""
            select device_id from runs.run_device
            where tenant_id = {tenant.Value} and run_id = {run.Value} and verify and outcome is null
            """,
            cancel);
        var reason = Wire.Name(move.To);
        if (doubtful.Count > 0)
        {
            Conclude(tenant, run, [.. doubtful.Select(device => device.Value)], DeviceOutcome.Unknown, "worker_lost");
            Conclude(tenant, run, null, DeviceOutcome.NotStarted, reason);
            await RunMove.GiveUp.Make(db, tenant, run, null, by, cancel, reason);
            await db.Execute($"select runs.release_known({tenant.Value}, {run.Value})", cancel);
            return true;
        }

        Conclude(tenant, run, null, DeviceOutcome.NotStarted, reason);
        var (head, devices) = (await Facts(tenant, run, $"", cancel))!.Value;
        var price = await Settle(tenant, run, head, devices, _none, cancel);
        return await move.Make(db, tenant, run, null, by, cancel, charged: price, failure: failure);
    }

    private async Task<bool> Lock(TenantId tenant, RunId run, RunMove move, CancellationToken cancel) => (await db.Query<RunId>(
        $"select id from runs.run where tenant_id = {tenant.Value} and id = {run.Value} and state in {RunStates.In(move.From)} for update",
        cancel)).Count > 0;

    /// <param name="devices">Null: all without an outcome.</param>
    private void Conclude(TenantId tenant, RunId run, Guid[]? devices, DeviceOutcome outcome, string? code)
    {
        bool? changed = outcome == DeviceOutcome.Unknown ? null : outcome == DeviceOutcome.Changed;
        db.SendWithNext($"call runs.conclude({tenant.Value}, {run.Value}, {devices}, {Wire.Name(outcome)}, {changed}, {code})");
    }

    /// <summary>
    /// What the end of a run goes by; null where the run is not so. It ran while a worker had it: not in the queue between attempts, and
    /// not while a person was thinking.
    /// </summary>
    private async Task<(Head Head, List<Device> Devices)?> Facts(TenantId tenant, RunId run, FormattableString so, CancellationToken cancel)
    {
        var (heads, devices) = await db.Query<Head, Device>(
            $"""
            select block, digest, engine_version, input_hash, trace_parent, (
              select coalesce(sum(coalesce(e.at, now()) - s.at), '0') from runs.run_transition s
                left join lateral (
                  select n.at from runs.run_transition n
                  where n.tenant_id = s.tenant_id and n.run_id = s.run_id and n.seq > s.seq and n.to_state not in {RunStates.UnderWay}
                  order by n.seq limit 1) e on true
              where s.tenant_id = r.tenant_id and s.run_id = r.id and s.to_state in {RunStates.Running}) as ran
            from runs.run r where tenant_id = {tenant.Value} and id = {run.Value} {so}
            """,
            $"""
            select device_id, d.platform, outcome, code, r.platforms ->> d.platform as platform_digest, diff, before_hash, after_hash
            from runs.run_device d join runs.run r on r.tenant_id = d.tenant_id and r.id = d.run_id
            where d.tenant_id = {tenant.Value} and d.run_id = {run.Value} order by position
            """,
            cancel);
        return heads is [var head] ? (head, devices) : null;
    }

    private async Task<Money> Settle(
        TenantId tenant, RunId run, Head head, List<Device> devices, HashSet<DeviceId> unbilled, CancellationToken cancel)
    {
        var facts = devices.ConvertAll(device => new DeviceFact(
            device.DeviceId, Wire.Name(device.Outcome!.Value), device.PlatformDigest, device.Good && !unbilled.Contains(device.DeviceId),
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

    private sealed record Head(string Block, string Digest, string? EngineVersion, string InputHash, string? TraceParent, TimeSpan Ran);

    private sealed record Device(
        DeviceId DeviceId, string Platform, DeviceOutcome? Outcome, string? Code, string? PlatformDigest, string? Diff, string? BeforeHash,
        string? AfterHash)
    {
        public bool Good => Outcome?.IsGood() == true;

        public bool LeftByCancel => Outcome == DeviceOutcome.NotStarted || Code == "cancelled";
    }
}
