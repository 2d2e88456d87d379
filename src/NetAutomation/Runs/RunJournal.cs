using System.Security.Cryptography;
using NetAutomation.History;
using NetAutomation.Inventory;
using NetAutomation.Persistence;
using NetAutomation.Web;

namespace NetAutomation.Runs;

/// <summary>
/// What a worker writes about the run it holds. Every statement names the fence, so a worker that lost its run writes nothing and gets
/// <see langword="false"/>.
/// </summary>
internal sealed class RunJournal(NetAutomationDb db, EngineVersion engine, ConfigHistory history, RunSignals signals)
{
    /// <summary>
    /// claimed → running, and on to cancelling where a cancel was asked for; commit it before the first dial. Also true where it was
    /// running already: the answer to the first try was lost.
    /// </summary>
    public Task<bool> Start(ClaimedRun run, CancellationToken cancel) => InTenant(
        run,
        async () =>
        {
            db.SendWithNext(
                $"""
                update runs.run set engine_version = {engine.Value}
                where tenant_id = {run.Tenant.Value} and id = {run.Id.Value} and fence = {run.Fence}
                """);
            if (!await RunMove.Start.Make(db, run.Tenant, run.Id, run.Fence, "worker", cancel))
            {
                return await db.Scalar<bool>(
                    $"""
                    select state in {RunStates.UnderWay} and fence = {run.Fence} as "Value" from runs.run
                    where tenant_id = {run.Tenant.Value} and id = {run.Id.Value}
                    """,
                    cancel);
            }

            if (await db.Scalar<bool>(
                $"""
                select cancel_requested_at is not null as "Value" from runs.run
                where tenant_id = {run.Tenant.Value} and id = {run.Id.Value}
                """,
                cancel))
            {
                await RunMove.AskCancel.Make(db, run.Tenant, run.Id, run.Fence, "worker", cancel);
            }

            return true;
        },
        cancel);

    /// <summary>Extends the lease by the database's clock. False: the fence has moved on, stop at once.</summary>
    public Task<bool> Renew(ClaimedRun run, CancellationToken cancel) => InTenant(
        run,
        async () => await db.Execute(
            $"""
            update runs.run set lease_until = now() + {RunQueue.Lease}
            where tenant_id = {run.Tenant.Value} and id = {run.Id.Value} and fence = {run.Fence} and state in {RunStates.Held}
            """,
            cancel) == 1,
        cancel);

    /// <summary>True where a cancel was asked for.</summary>
    public async Task<bool> CancelRequested(ClaimedRun run, CancellationToken cancel) => (await db.QueryAs<bool>(
        run.Tenant,
        $"""
        select cancel_requested_at is not null as "Value" from runs.run where tenant_id = {run.Tenant.Value} and id = {run.Id.Value}
        """,
        cancel)).FirstOrDefault();

    /// <summary>True where a device without an outcome is in a deny window now, or outside its allow windows.</summary>
    public async Task<bool> OutsideWindows(ClaimedRun run, CancellationToken cancel) => (await db.QueryAs<bool>(
        run.Tenant, $"select runs.outside_windows({run.Tenant.Value}, {run.Id.Value}, now()) as \"Value\"", cancel))[0];

    /// <summary>
    /// Writes events with the next numbers, without gaps, and the progress of devices, in one transaction guarded by the fence.
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
                    select written_fence = {run.Fence} and fence = {run.Fence} and written >= {before + events.Count} as "Value"
                    from runs.run
                    where tenant_id = {run.Tenant.Value} and id = {run.Id.Value}
                    """,
                    cancel);
            }

            Guid[] started = [.. events.Where(each => each.Type == "device_started").Select(each => each.Device!.Value.Value)];
            if (started.Length > 0)
            {
                db.SendWithNext(
                    $"""
                    update runs.run_device set phase = 'running', started_at = coalesce(started_at, now())
                    where tenant_id = {run.Tenant.Value} and run_id = {run.Id.Value} and device_id = any ({started}) and outcome is null
                    """);
            }

            foreach (var step in events.Select(each => each.Guard).OfType<GuardStep>())
            {
                WriteGuard(run, step);
            }

            foreach (var report in events.Select(each => each.Report).OfType<DeviceReport>())
            {
                WriteOutcome(run, report);
            }

            await KeepTexts(run, events, cancel);

            return true;
        },
        cancel);

    /// <summary>Keeps the configuration that a change under guard goes back to.</summary>
    /// <param name="kind">What will take it back.</param>
    public Task<bool> Keep(ClaimedRun run, SeenTexts seen, string hash, GuardKind? kind, CancellationToken cancel) => InTenant(
        run,
        async () =>
        {
            var guard = kind is { } known ? Wire.Name(known) : null;
            var kept = await Mark(run, [seen.Device.Value], $"before_hash = {hash}, guard = {guard}", cancel);
            if (kept)
            {
                await history.Keep(run.Tenant, run.Id, run.Exclusive, [seen], cancel);
            }

            return kept;
        },
        cancel);

    /// <summary>
    /// The changes of these devices may begin once this is true: whoever comes after this worker knows then what to look for.
    /// </summary>
    /// <param name="revertsAt">When they have gone back at the latest, whatever is armed.</param>
    public Task<bool> Begin(
        ClaimedRun run, IReadOnlyCollection<DeviceId> devices, DateTimeOffset revertsAt, CancellationToken cancel) => InTenant(
        run,
        () => Mark(
            run, [.. devices.Select(device => device.Value)], $"kept_at = coalesce(kept_at, now()), reverts_at = {revertsAt}", cancel),
        cancel);

    /// <summary>The configuration that was kept of a device; null where it is no longer there.</summary>
    public async Task<byte[]?> Before(ClaimedRun run, DeviceId device, CancellationToken cancel)
    {
        await using var transaction = await db.Begin(run.Tenant, cancel);
        return await history.Before(run.Tenant, run.Id, device, cancel);
    }

    /// <summary>Keeps the hash of the configuration that is to be confirmed.</summary>
    public Task<bool> Want(ClaimedRun run, DeviceId device, string hash, CancellationToken cancel) =>
        InTenant(run, () => Mark(run, [device.Value], $"after_hash = {hash}", cancel), cancel);

    /// <summary>Keeps the decision that the changes of these devices stay, before any of them is confirmed.</summary>
    public Task<bool> Confirm(ClaimedRun run, IReadOnlyCollection<DeviceId> devices, CancellationToken cancel) =>
        InTenant(run, () => Mark(run, [.. devices.Select(device => device.Value)], $"confirms = true", cancel), cancel);

    private async Task<bool> Mark(ClaimedRun run, Guid[] devices, FormattableString set, CancellationToken cancel) => await db.Execute(
        $"""
        update runs.run_device d set {set} from runs.run r
        where r.tenant_id = {run.Tenant.Value} and r.id = {run.Id.Value} and r.fence = {run.Fence} and not r.terminal
          and d.tenant_id = r.tenant_id and d.run_id = r.id and d.device_id = any ({devices}) and d.outcome is null
        """,
        cancel) == devices.Length;

    private void WriteGuard(ClaimedRun run, GuardStep step)
    {
        var (kind, phase) = (
            step.Kind is { } known ? Wire.Name(known) : null, step.Step == GuardStep.Reverting ? Wire.Name(DevicePhase.Reverting) : null);
        db.SendWithNext(
            $"""
            update runs.run_device set guard = coalesce({kind}, guard), reverts_at = coalesce({step.RevertsAt}, reverts_at),
              phase = coalesce({phase}, phase)
            where tenant_id = {run.Tenant.Value} and run_id = {run.Id.Value} and device_id = {step.Device.Value} and outcome is null
            """);
    }

    /// <summary>The first outcome of a device stands, together with its files.</summary>
    private void WriteOutcome(ClaimedRun run, DeviceReport report)
    {
        if (report.Password is { } verdict)
        {
            DeviceAccess.Settle(db, run.Tenant, verdict);
        }

        var (tenant, id, device, outcome) = (run.Tenant.Value, run.Id.Value, report.Device.Value, Wire.Name(report.Outcome));
        FormattableString update =
            $"""
            update runs.run_device set phase = 'done', outcome = {outcome}, changed = {report.Changed}, contacted = {report.Contacted},
              code = {report.Code}, message = {report.Message}, result = {report.ResultJson}::jsonb, diff = {report.Diff},
              before_hash = {report.BeforeHash}, after_hash = {report.AfterHash}, finished_at = now()
            where tenant_id = {tenant} and run_id = {id} and device_id = {device} and outcome is null
            """;
        if (report.Artifacts.Count == 0)
        {
            db.SendWithNext(update);
            return;
        }

        string[] names = [.. report.Artifacts.Select(file => file.Name)];
        string[] types = [.. report.Artifacts.Select(file => file.MediaType)];
        byte[][] hashes = [.. report.Artifacts.Select(file => SHA256.HashData(file.Content))];
        byte[][] contents = [.. report.Artifacts.Select(file => file.Content)];
        db.SendWithNext(
            $"""
            with updated as ({update} returning device_id)
            insert into runs.artifact (tenant_id, run_id, device_id, name, media_type, size, sha256, content)
            select {tenant}, {id}, u.device_id, n, m, octet_length(c), h, c
            from updated u, unnest({names}, {types}, {hashes}, {contents}) as f (n, m, h, c)
            on conflict do nothing
            """);
    }

    /// <summary>No text is kept without its outcome, and none twice: a batch that was written before does not come here.</summary>
    private Task KeepTexts(ClaimedRun run, IReadOnlyList<RunEvent> events, CancellationToken cancel)
    {
        var seen = events.Where(each => each.Report?.Texts is not null)
            .Select(each => new SeenTexts(each.Time, each.Report!.Device, each.Report.Texts!)).ToList();
        return seen.Count == 0 ? Task.CompletedTask : history.Keep(run.Tenant, run.Id, run.Exclusive, seen, cancel);
    }

    private async Task<bool> AppendRows(ClaimedRun run, long before, IReadOnlyList<RunEvent> events, CancellationToken cancel)
    {
        var count = events.Count;
        var times = events.Select(each => each.Time.UtcDateTime).ToArray();
        var types = events.Select(each => each.Type).ToArray();
        var devices = events.Select(each => each.Device?.Value).ToArray();
        var data = events.Select(each => each.Data).ToArray();
        var (content, join) = Outcomes(events);
        return await db.Execute(
            $"""
            with head as (
              update runs.run set last_seq = last_seq + {count}, written_fence = {run.Fence}, written = {before + count}
              where tenant_id = {run.Tenant.Value} and id = {run.Id.Value} and fence = {run.Fence} and not terminal
                and case when written_fence = {run.Fence} then written else 0 end = {before}
              returning tenant_id, id, created_day, attempt, last_seq)
            insert into runs.run_event (tenant_id, run_id, run_day, seq, time, type, attempt, device_id, data)
            select h.tenant_id, h.id, h.created_day, h.last_seq - {count} + n, t, y, h.attempt, d,
              {content}
            from head h, unnest({times}, {types}, {devices}, {data}) with ordinality as e (t, y, d, j, n) {join}
            """,
            cancel) == count;
    }

    /// <summary>
    /// The data of a row, and the join that they need. Most batches hold no outcome, and every row pays for each value that is sent.
    /// </summary>
    private static (FormattableString Data, FormattableString Join) Outcomes(IReadOnlyList<RunEvent> events)
    {
        var reports = events.Index().Where(each => each.Item.Report is not null)
            .Select(each => (Place: each.Index + 1L, Report: each.Item.Report!)).ToList();
        if (reports.Count == 0)
        {
            return ($"j::jsonb", $"");
        }

        long[] places = [.. reports.Select(each => each.Place)];
        string[] outcomes = [.. reports.Select(each => Wire.Name(each.Report.Outcome))];
        bool?[] changed = [.. reports.Select(each => each.Report.Changed)];
        string?[] codes = [.. reports.Select(each => each.Report.Code)];
        string?[] messages = [.. reports.Select(each => each.Report.Message)];
        return (
            $"case when o is null then j::jsonb else runs.outcome_event(o, c, k, m) end",
            $"left join unnest({places}, {outcomes}, {changed}, {codes}, {messages}) as r (place, o, c, k, m) on place = n");
    }

    private async Task<bool> InTenant(ClaimedRun run, Func<Task<bool>> write, CancellationToken cancel)
    {
        await using var transaction = await db.Begin(run.Tenant, cancel);
        if (!await write())
        {
            return false;
        }

        await transaction.CommitAsync(cancel);
        signals.RingNews(run.Id);
        return true;
    }
}
