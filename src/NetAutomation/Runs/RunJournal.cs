using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using NetAutomation.Billing;
using NetAutomation.Persistence;
using NetAutomation.Web;

namespace NetAutomation.Runs;

/// <summary>Something that happened in a run. The journal gives it its number.</summary>
/// <param name="Type">device_started, task, output or device_outcome.</param>
/// <param name="Data">A JSON object.</param>
/// <param name="Report">With device_outcome: the outcome it tells of, written with it.</param>
internal sealed record RunEvent(DateTimeOffset Time, string Type, DeviceId? Device, string Data, DeviceReport? Report = null)
{
    /// <summary>The event of a device's final outcome.</summary>
    public static RunEvent Of(DateTimeOffset time, DeviceReport report) => new(
        time, "device_outcome", report.Device,
        JsonSerializer.Serialize(new { outcome = report.Outcome, changed = report.Changed, code = report.Code, message = report.Message }, Json.Api), report);
}

/// <summary>A file a block made on one device.</summary>
internal sealed record ArtifactFile(string Name, string MediaType, byte[] Content);

/// <summary>What became of one device.</summary>
/// <param name="Changed">Null where it cannot be told, since a failed device may have changed.</param>
/// <param name="Contacted">A stream to the device was opened.</param>
internal sealed record DeviceReport(
    DeviceId Device, DeviceOutcome Outcome, bool? Changed, bool Contacted, string? Code, string? Message, string? ResultJson, string? Diff,
    string? BeforeHash, string? AfterHash, IReadOnlyList<ArtifactFile> Artifacts);

/// <summary>
/// What a worker may write about the run it holds. Every statement names the fence, so a worker that lost its run writes nothing;
/// <see langword="false"/> tells it so.
/// </summary>
internal sealed class RunJournal(NetAutomationDb db, UsageLedger ledger, RunSignals signals)
{
    private const int LargestResult = 64 * 1024;
    private static readonly HashSet<DeviceId> NoDevices = [];

    /// <summary>claimed → running; commit it before the first dial. Also true where it was so already: the answer to the first try was lost.</summary>
    public Task<bool> Start(ClaimedRun run, CancellationToken cancel) => InTenant(
        run,
        async () => await Move(run, ["claimed"], "running", null, cancel) || await db.Scalar<bool>(
            $"select state = 'running' and fence = {run.Fence} as \"Value\" from runs.run where tenant_id = {run.Tenant.Value} and id = {run.Id.Value}", cancel),
        cancel);

    /// <summary>Extends the lease by the database's clock. False: the fence has moved on, stop at once.</summary>
    public Task<bool> Renew(ClaimedRun run, CancellationToken cancel) => InTenant(
        run,
        async () => await db.Execute(
            $"""
            update runs.run set lease_until = now() + {RunQueue.Lease} where tenant_id = {run.Tenant.Value} and id = {run.Id.Value} and fence = {run.Fence}
              and state in ('claimed', 'running', 'cancelling')
            """,
            cancel) == 1,
        cancel);

    /// <summary>True where a cancel was asked for.</summary>
    public async Task<bool> CancelRequested(ClaimedRun run, CancellationToken cancel) => (await db.QueryAlone<bool>(
        run.Tenant, $"select state = 'cancelling' as \"Value\" from runs.run where tenant_id = {run.Tenant.Value} and id = {run.Id.Value}", cancel)).FirstOrDefault();

    /// <summary>True where a device that is still to come is in a deny window now, or outside its allow windows.</summary>
    public async Task<bool> OutsideWindows(ClaimedRun run, CancellationToken cancel) => (await db.QueryAlone<bool>(
        run.Tenant, $"select runs.outside_windows({run.Tenant.Value}, {run.Id.Value}, now()) as \"Value\"", cancel))[0];

    /// <summary>
    /// Writes events with the next numbers, without gaps, and what they say of devices, in one transaction guarded by the fence.
    /// </summary>
    /// <param name="before">How many events this fence has written before; repeating a batch with the same number is harmless.</param>
    public Task<bool> Write(ClaimedRun run, long before, IReadOnlyList<RunEvent> events, CancellationToken cancel) => InTenant(
        run,
        async () =>
        {
            if (!await AppendRows(run, before, events, cancel))
            {
                return await db.Scalar<bool>(
                    $"""
                    select written_fence = {run.Fence} and fence = {run.Fence} and written >= {before + events.Count} as "Value" from runs.run
                    where tenant_id = {run.Tenant.Value} and id = {run.Id.Value}
                    """,
                    cancel);
            }

            var started = events.Where(happened => happened.Type == "device_started").Select(happened => happened.Device!.Value.Value).ToArray();
            if (started.Length > 0)
            {
                db.SendWithNext(
                    $"""
                    update runs.run_device set phase = 'running', started_at = coalesce(started_at, now())
                    where tenant_id = {run.Tenant.Value} and run_id = {run.Id.Value} and device_id = any ({started}) and outcome is null
                    """);
            }

            foreach (var report in events.Select(happened => happened.Report).OfType<DeviceReport>())
            {
                Outcome(run, report);
            }

            return true;
        },
        cancel);

    /// <summary>
    /// Ends the run in one transaction: outcomes of devices never reached, settlement, usage, receipts, state, holds. A device whose
    /// outcome is unknown sends the run to <c>unknown</c>, unsettled, and only such devices stay held.
    /// </summary>
    /// <param name="rest">Why the devices without an outcome were not started: a code.</param>
    public Task<bool> Finish(ClaimedRun run, bool cancelled, string? rest, CancellationToken cancel) => InTenant(
        run,
        async () =>
        {
            if (await Facts(run.Tenant, run.Id, $"and fence = {run.Fence} and not terminal for update of r", cancel) is not var (head, found))
            {
                return false;
            }

            Close(run.Tenant, run.Id, rest);
            var devices = found.ConvertAll(device => device.Outcome is null ? device with { Outcome = "not_started", Code = rest } : device);
            if (devices.Exists(device => device.Outcome == "unknown"))
            {
                await Move(run, ["running", "cancelling"], "unknown", "device_unknown", cancel);
                await db.Execute($"select runs.release_known({run.Tenant.Value}, {run.Id.Value})", cancel);
                return true;
            }

            var failed = devices.Count(device => !device.Good);
            var state = failed == 0 ? "succeeded"
                : cancelled && devices.Exists(device => device.Outcome == "not_started" || device.Code == "cancelled") ? "cancelled" : "failed";
            var price = await Settle(run.Tenant, run.Id, head, devices, NoDevices, cancel);
            return await Move(
                run, ["running", "cancelling"], state, null, cancel, price, state == "failed" ? "devices_failed" : null, state == "failed" ? $"{failed} of {devices.Count}" : null);
        },
        cancel,
        frees: true);

    /// <summary>
    /// Ends a run that no worker executes: cancelled before it started, or not started in time. Where a lost attempt may have configured a
    /// device, the run is unknown instead.
    /// </summary>
    public async Task<bool> End(TenantId tenant, RunId run, string[] from, string state, string by, CancellationToken cancel)
    {
        var found = await db.Query<IdRow>($"select id from runs.run where tenant_id = {tenant.Value} and id = {run.Value} and state = any ({from}) for update", cancel);
        if (found.Count == 0)
        {
            return false;
        }

        var left = await db.Execute(
            $"""
            update runs.run_device set phase = 'done', outcome = 'unknown', code = 'worker_lost', finished_at = now()
            where tenant_id = {tenant.Value} and run_id = {run.Value} and verify and outcome is null
            """,
            cancel);
        Close(tenant, run, state);
        if (left > 0)
        {
            await db.Execute($"select runs.move({tenant.Value}, {run.Value}, null, {from}, 'unknown', {by}, {state})", cancel);
            await db.Execute($"select runs.release_known({tenant.Value}, {run.Value})", cancel);
            return true;
        }

        var (head, devices) = (await Facts(tenant, run, $"", cancel))!.Value;
        var price = await Settle(tenant, run, head, devices, NoDevices, cancel);
        return await db.Scalar<long?>(
            $"""
            select runs.move({tenant.Value}, {run.Value}, null, {from}, {state}, {by}, null, {price.Micros}, {(state == "expired" ? "start_by_passed" : null)}) as "Value"
            """,
            cancel) is not null;
    }

    /// <summary>
    /// Ends an unknown run by a person's verdict. Devices the worker had finished are billed as they were; the unknown ones only where the
    /// verdict says that they were completed.
    /// </summary>
    public async Task<bool> Resolve(
        TenantId tenant, RunId run, IReadOnlyDictionary<DeviceId, DeviceOutcome> outcomes, bool billed, string resolution, string by, CancellationToken cancel)
    {
        var found = await db.Query<IdRow>($"select id from runs.run where tenant_id = {tenant.Value} and id = {run.Value} and state = 'unknown' for update", cancel);
        if (found.Count == 0)
        {
            return false;
        }

        var unbilled = new HashSet<DeviceId>();
        foreach (var (device, outcome) in outcomes)
        {
            var name = Wire.Name(outcome);
            await db.Execute(
                $"""
                update runs.run_device set outcome = {name}, code = 'resolved', changed = case when {name} = 'unknown' then null else {name} = 'changed' end
                where tenant_id = {tenant.Value} and run_id = {run.Value} and device_id = {device.Value} and outcome = 'unknown'
                """,
                cancel);
            if (!billed)
            {
                unbilled.Add(device);
            }
        }

        await db.Execute($"update runs.run set resolution = {resolution}::jsonb where tenant_id = {tenant.Value} and id = {run.Value}", cancel);
        var (head, devices) = (await Facts(tenant, run, $"", cancel))!.Value;
        var price = await Settle(tenant, run, head, devices, unbilled, cancel);
        return await db.Scalar<long?>(
            $"select runs.move({tenant.Value}, {run.Value}, null, array['unknown'], 'resolved', {by}, null, {price.Micros}) as \"Value\"", cancel) is not null;
    }

    /// <summary>The devices without an outcome were not started.</summary>
    private void Close(TenantId tenant, RunId run, string? rest) => db.SendWithNext(
        $"""
        update runs.run_device set phase = 'done', outcome = 'not_started', changed = false, code = {rest}, finished_at = now()
        where tenant_id = {tenant.Value} and run_id = {run.Value} and outcome is null
        """);

    /// <summary>What the end of a run goes by; null where the run is not so. Minutes are those in which a worker had it: not the queue between attempts, and not a person's thinking.</summary>
    private async Task<(Head Head, List<Device> Devices)?> Facts(TenantId tenant, RunId run, FormattableString so, CancellationToken cancel)
    {
        var (heads, devices) = await db.Query<Head, Device>(
            $"""
            select block, digest, input_hash, greatest(1, ceil((
              select coalesce(sum(extract(epoch from coalesce(e.at, now()) - s.at)), 0) from runs.run_transition s
                left join lateral (
                  select n.at from runs.run_transition n
                  where n.tenant_id = s.tenant_id and n.run_id = s.run_id and n.seq > s.seq and n.to_state not in ('running', 'cancelling') order by n.seq limit 1) e on true
              where s.tenant_id = r.tenant_id and s.run_id = r.id and s.to_state = 'running') / 60))::int as minutes
            from runs.run r where tenant_id = {tenant.Value} and id = {run.Value} {so}
            """,
            $"""
            select device_id, outcome, code, diff, before_hash, after_hash from runs.run_device
            where tenant_id = {tenant.Value} and run_id = {run.Value} order by position
            """,
            cancel);
        return heads is [var head] ? (head, devices) : null;
    }

    private Task<Money> Settle(TenantId tenant, RunId run, Head head, List<Device> devices, HashSet<DeviceId> unbilled, CancellationToken cancel) => ledger.Settle(
        tenant,
        new RunFacts(run, head.Block, head.Digest, head.InputHash, head.Minutes, devices.ConvertAll(device => new DeviceFact(
            new DeviceId(device.DeviceId), device.Outcome!, device.Good && !unbilled.Contains(new DeviceId(device.DeviceId)),
            device.Diff is null ? null : $"sha256:{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(device.Diff)))}",
            device.BeforeHash, device.AfterHash))),
        cancel);

    /// <summary>The first outcome of a device stands, and its files with it.</summary>
    private void Outcome(ClaimedRun run, DeviceReport report)
    {
        var (tenant, id, device, outcome) = (run.Tenant.Value, run.Id.Value, report.Device.Value, Wire.Name(report.Outcome));
        var result = report.ResultJson is { Length: <= LargestResult } small ? small : null;
        FormattableString told =
            $"""
            update runs.run_device set phase = 'done', outcome = {outcome}, changed = {report.Changed}, contacted = {report.Contacted}, code = {report.Code},
              message = {report.Message}, result = {result}::jsonb, diff = {report.Diff}, before_hash = {report.BeforeHash}, after_hash = {report.AfterHash}, finished_at = now()
            where tenant_id = {tenant} and run_id = {id} and device_id = {device} and outcome is null
            """;
        if (report.Artifacts.Count == 0)
        {
            db.SendWithNext(told);
            return;
        }

        string[] names = [.. report.Artifacts.Select(file => file.Name)];
        string[] types = [.. report.Artifacts.Select(file => file.MediaType)];
        byte[][] hashes = [.. report.Artifacts.Select(file => SHA256.HashData(file.Content))];
        byte[][] contents = [.. report.Artifacts.Select(file => file.Content)];
        db.SendWithNext(
            $"""
            with told as ({told} returning device_id)
            insert into runs.artifact (tenant_id, run_id, device_id, name, media_type, size, sha256, content)
            select {tenant}, {id}, t.device_id, n, m, octet_length(c), h, c from told t, unnest({names}, {types}, {hashes}, {contents}) as f (n, m, h, c)
            on conflict do nothing
            """);
    }

    private async Task<bool> AppendRows(ClaimedRun run, long before, IReadOnlyList<RunEvent> events, CancellationToken cancel)
    {
        var count = events.Count;
        var times = events.Select(happened => happened.Time.UtcDateTime).ToArray();
        var types = events.Select(happened => happened.Type).ToArray();
        var devices = events.Select(happened => happened.Device?.Value).ToArray();
        var data = events.Select(happened => happened.Data).ToArray();
        return await db.Execute(
            $"""
            with head as (
              update runs.run set last_seq = last_seq + {count}, written_fence = {run.Fence}, written = {before + count}
              where tenant_id = {run.Tenant.Value} and id = {run.Id.Value} and fence = {run.Fence} and not terminal
                and case when written_fence = {run.Fence} then written else 0 end = {before}
              returning tenant_id, id, created_day, attempt, last_seq)
            insert into runs.run_event (tenant_id, run_id, run_day, seq, time, type, attempt, device_id, data)
            select h.tenant_id, h.id, h.created_day, h.last_seq - {count} + n, t, y, h.attempt, d, j::jsonb
            from head h, unnest({times}, {types}, {devices}, {data}) with ordinality as e (t, y, d, j, n)
            """,
            cancel) == count;
    }

    private async Task<bool> Move(
        ClaimedRun run, string[] from, string to, string? reason, CancellationToken cancel, Money? charged = null, string? code = null, string? detail = null) =>
        await db.Scalar<long?>(
            $"""
            select runs.move({run.Tenant.Value}, {run.Id.Value}, {run.Fence}, {from}, {to}, 'worker', {reason}, {charged?.Micros}, {code}, {detail}) as "Value"
            """,
            cancel) is not null;

    private async Task<bool> InTenant(ClaimedRun run, Func<Task<bool>> write, CancellationToken cancel, bool frees = false)
    {
        await using var transaction = await db.Begin(run.Tenant, cancel);
        if (!await write())
        {
            return false;
        }

        await transaction.CommitAsync(cancel);
        signals.RingNews(run.Id);
        if (frees)
        {
            signals.RingWork();
        }

        return true;
    }

    private sealed record Head(string Block, string Digest, string InputHash, int Minutes);

    private sealed record Device(Guid DeviceId, string? Outcome, string? Code, string? Diff, string? BeforeHash, string? AfterHash)
    {
        public bool Good => Outcome is "ok" or "changed";
    }

    private sealed record IdRow(Guid Id);
}
