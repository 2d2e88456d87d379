using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Persistence;
using NetAutomation.Runs.Follow;
using NetAutomation.Web;
using NetAutomation.Web.Evaluation;

namespace NetAutomation.Runs.Explain;

/// <summary>One thing that holds a run or a plan.</summary>
/// <param name="Code">queue, quota, output, device_held, writer_waiting, connector_absent or window; of a run that has started,
/// worker_lost, reverting or resolution. Of a plan: check, approval, check_failed or drift.</param>
/// <param name="Detail">In words.</param>
/// <param name="DeviceId">The device it is about.</param>
/// <param name="RunId">The run that holds it or waits for it.</param>
/// <param name="EligibleAt">For a window: when the windows let the whole run start next; null where not within two years,
/// or where saying so takes more than an answer may. For reverting: when the device has gone back at the latest.</param>
public sealed record Gate(string Code, string Detail, DeviceId? DeviceId, RunId? RunId, DateTimeOffset? EligibleAt = null);

/// <summary>Why a run is not running.</summary>
/// <param name="State">Where it stands.</param>
/// <param name="Gates">Empty where nothing holds it.</param>
public sealed record WhyView(RunState State, IReadOnlyList<Gate> Gates);

internal static class ExplainRun
{
    private const int Most = 200;

    /// <summary>
    /// Every gate that holds a queued run, and what a lost run waits for. The same conditions decide whether a worker may start the run.
    /// </summary>
    public static async Task<Results<Ok<WhyView>, Problem>> Handle(
        RunId id, NetAutomationDb db, Caller caller, WindowCalendars windows, TimeProvider clock, CancellationToken cancel)
    {
        if (await RunView.Find(db, caller.Tenant, id, cancel) is not { } run)
        {
            return Web.Problems.NotFound.With();
        }

        if (run.State != RunState.Queued)
        {
            return TypedResults.Ok(new WhyView(run.State, await Lost(db, caller.Tenant, run, cancel)));
        }

        var held =
            await db.Query<Row>(
                $"select code, device_id, name, holder from runs.gates({caller.Tenant.Value}, {id.Value}) limit {Most}", cancel);
        var locked = held.Exists(row => row.Code == "connector_absent") ? await Locked(db, caller.Tenant, id, cancel) : [];
        var gates = held.Select(row => new Gate(
            row.Code,
            row.Code switch
            {
                "connector_absent" => $"{row.Name} is on a site without a connected connector{locked.GetValueOrDefault(row.DeviceId)}",
                "writer_waiting" => $"An earlier run waits for exclusive use of {row.Name}",
                _ => $"{row.Name} is held by another run",
            },
            row.DeviceId, row.Holder)).ToList();
        // A look waits for a connector, and for nothing else.
        if (!await db.Scalar<bool>(
            $"""
            select exists (
              select from runs.queue where tenant_id = {caller.Tenant.Value} and run_id = {id.Value} and looks) as "Value"
            """,
            cancel))
        {
            gates.AddRange(await Limits(db, caller.Tenant, id, windows, clock.GetUtcNow(), cancel));
        }

        if (gates.Count == 0)
        {
            gates.Add(new Gate("queue", "Waiting for a worker.", null, null));
        }

        return TypedResults.Ok(new WhyView(run.State, gates));
    }

    /// <summary>Windows, quota and output: what holds new work.</summary>
    private static async Task<IReadOnlyList<Gate>> Limits(
        NetAutomationDb db, TenantId tenant, RunId id, WindowCalendars windows, DateTimeOffset now, CancellationToken cancel)
    {
        List<Gate> gates = [.. await Closed(db, tenant, id, windows, now, cancel)];
        var room =
            await db.Query<Room>(
                $"select running, max_running from runs.tenant_quota where tenant_id = {tenant.Value} and running >= max_running",
                cancel);
        gates.AddRange(
            room.Select(row => new Gate("quota", $"{row.Running} of at most {row.MaxRunning} of your runs are running", null, null)));
        // One that was lost by its worker goes on.
        if (await db.Scalar<bool>(
            $"""
            select attempt = 0 and runs.output_used_up(tenant_id) as "Value" from runs.run
            where tenant_id = {tenant.Value} and id = {id.Value}
            """,
            cancel))
        {
            gates.Add(new Gate(
                "output", "The events or artifacts of this month are used up, see GET /v1/limits; the next month has its own.", null,
                null));
        }

        return gates;
    }

    /// <summary>A remark about connectors that were locked, by device.</summary>
    private static async Task<Dictionary<DeviceId, string>> Locked(NetAutomationDb db, TenantId tenant, RunId id, CancellationToken cancel)
    {
        var rows = await db.Query<DeviceRow>(
            $"""
            select d.device_id, string_agg(c.name, ', ' order by c.name) as name
            from runs.run_device d join connectors.connector c on c.tenant_id = d.tenant_id and c.site_id = d.site_id and c.state = 'cloned'
            where d.tenant_id = {tenant.Value} and d.run_id = {id.Value} group by d.device_id
            """,
            cancel);
        return rows.ToDictionary(
            row => row.DeviceId,
            row => $"; its connector {row.Name} is locked, as two copies of it were alive: revoke it and join a new one");
    }

    private static async Task<IReadOnlyList<Gate>> Lost(NetAutomationDb db, TenantId tenant, RunView run, CancellationToken cancel)
    {
        if (run.State == RunState.Unknown)
        {
            var unknown = await db.Query<DeviceRow>(
                $"""
                select device_id, name from runs.run_device
                where tenant_id = {tenant.Value} and run_id = {run.Id.Value} and outcome = {Wire.Name(DeviceOutcome.Unknown)}
                order by position limit {Most}
                """,
                cancel);
            return [
                .. unknown.Select(
                    row => new Gate(
                        "resolution", $"What happened on {row.Name} is not known; decide it with POST /v1/runs/{run.Id}:resolve",
                        row.DeviceId, null))];
        }

        var reverting = await db.Query<RevertingRow>(
            $"""
            select device_id, name, case when guard = 'soft' then null else reverts_at end as reverts_at from runs.run_device
            where tenant_id = {tenant.Value} and run_id = {run.Id.Value} and phase = {Wire.Name(DevicePhase.Reverting)}
            order by position limit {Most}
            """,
            cancel);
        if (reverting.Count > 0)
        {
            return [
                .. reverting.Select(row => new Gate(
                    "reverting",
                    row.RevertsAt is { } at
                        ? $"The work on {row.Name} was cut off; it goes back by itself by {at.UtcDateTime:u}, and is looked at"
                        : $"The work on {row.Name} was cut off; it is put back as soon as it can be reached",
                    row.DeviceId, null, row.RevertsAt))];
        }

        return await db.Scalar<bool>(
            $"""
            select lease_until < now() and not terminal as "Value" from runs.run
            where tenant_id = {tenant.Value} and id = {run.Id.Value}
            """,
            cancel)
            ? [new Gate("worker_lost", "Its worker has not been heard of; the run is taken from it within a minute", null, null)]
            : [];
    }

    private static async Task<IEnumerable<Gate>> Closed(
        NetAutomationDb db, TenantId tenant, RunId id, WindowCalendars windows, DateTimeOffset now, CancellationToken cancel)
    {
        var rows = await db.Query<DeviceRow>(
            $"""
            select device_id, name from runs.run_device
            where tenant_id = {tenant.Value} and run_id = {id.Value} and outcome is null order by position
            """,
            cancel);
        var names = rows.ToDictionary(row => row.DeviceId, row => row.Name);
        var calendar = await windows.Load(tenant, [.. names.Keys], cancel);
        var closed = calendar.Gates(now).Take(Most).ToList();
        var (eligible, unknown) = closed.Count == 0 ? (null, "") : NextOpen(calendar, now);
        return closed.Select(gate => new Gate(
            "window",
            gate.Deny
                ? $"{names[gate.Device]} is in the deny window '{gate.Name}'{unknown}"
                    : $"{names[gate.Device]} is outside its allow windows, such as '{gate.Name}'{unknown}", gate.Device, null, eligible));
    }

    /// <summary>When the windows are open next, or a remark why that is not known: the other gates are told all the same.</summary>
    private static (DateTimeOffset? At, string Unknown) NextOpen(WindowCalendar calendar, DateTimeOffset now)
    {
        try
        {
            return (calendar.NextOpen(now), "");
        }
        catch (TooCostlyException costly)
        {
            return (null, $"; {char.ToLowerInvariant(costly.Message[0])}{costly.Message[1..]} to say until when");
        }
    }

    private sealed record Room(int Running, int MaxRunning);

    private sealed record DeviceRow(DeviceId DeviceId, string Name);

    private sealed record RevertingRow(DeviceId DeviceId, string Name, DateTimeOffset? RevertsAt);

    private sealed record Row(string Code, DeviceId DeviceId, string Name, RunId? Holder);
}
