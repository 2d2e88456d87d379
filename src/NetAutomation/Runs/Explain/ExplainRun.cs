using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Persistence;
using NetAutomation.Platform;
using NetAutomation.Runs.Follow;

namespace NetAutomation.Runs.Explain;

/// <summary>One thing that holds a run.</summary>
/// <param name="Code">queue, device_held, connector_absent or window.</param>
/// <param name="Detail">In words.</param>
/// <param name="DeviceId">The device it is about.</param>
/// <param name="RunId">The run that holds it.</param>
/// <param name="EligibleAt">For a window: when the windows let the whole run start next; null where not within two years.</param>
public sealed record Gate(string Code, string Detail, DeviceId? DeviceId, RunId? RunId, DateTimeOffset? EligibleAt = null);

/// <summary>Why a run is not running.</summary>
/// <param name="State">Where it stands.</param>
/// <param name="Gates">Empty where nothing holds it.</param>
public sealed record WhyView(RunState State, IReadOnlyList<Gate> Gates);

internal static class ExplainRun
{
    private const int Most = 200;

    /// <summary>Every gate that holds a queued run.</summary>
    public static async Task<Results<Ok<WhyView>, Problem>> Handle(RunId id, NetAutomationDb db, Caller caller, WindowCalendars windows, TimeProvider clock, CancellationToken cancel)
    {
        if (await RunView.Find(db, caller.Tenant, id, cancel) is not { } run)
        {
            return Platform.Problems.NotFound.With();
        }

        if (run.State != RunState.Queued)
        {
            return TypedResults.Ok(new WhyView(run.State, []));
        }

        var exclusive = run.Effect == "read" || run.Mode == RunMode.Check ? 0 : 1;
        var tenant = caller.Tenant.Value;
        var held = await db.Query<Row>(
            $"""
            select 'device_held' as code, d.name || ' is held by another run' as detail, d.device_id, h.run_id
            from runs.run_device d join runs.device_hold h on h.tenant_id = d.tenant_id and h.device_id = d.device_id
            where d.tenant_id = {tenant} and d.run_id = {id.Value} and (h.exclusive = 1 or {exclusive} = 1)
            union all
            select 'connector_absent', d.name || ' is on a site without a connected connector', d.device_id, null
            from runs.run_device d
            where d.tenant_id = {tenant} and d.run_id = {id.Value} and not exists (
              select from connectors.connector_session s join connectors.connector c on c.tenant_id = s.tenant_id and c.id = s.connector_id
              where s.tenant_id = d.tenant_id and c.site_id = d.site_id and s.state = 'attached')
            limit 200
            """,
            cancel);
        var gates = held.Select(row => new Gate(row.Code, row.Detail, new DeviceId(row.DeviceId), row.RunId is { } holder ? new RunId(holder) : null)).ToList();
        gates.AddRange(await Closed(db, caller.Tenant, id, windows, clock.GetUtcNow(), cancel));
        if (gates.Count == 0)
        {
            gates.Add(new Gate("queue", "Waiting for a worker.", null, null));
        }

        return TypedResults.Ok(new WhyView(run.State, gates));
    }

    private static async Task<IEnumerable<Gate>> Closed(NetAutomationDb db, TenantId tenant, RunId id, WindowCalendars windows, DateTimeOffset now, CancellationToken cancel)
    {
        var rows = await db.Query<DeviceRow>(
            $"select device_id, name from runs.run_device where tenant_id = {tenant.Value} and run_id = {id.Value} and outcome is null order by position", cancel);
        var names = rows.ToDictionary(row => new DeviceId(row.DeviceId), row => row.Name);
        var calendar = await windows.Load(tenant, cancel);
        var closed = calendar.Gates(names.Keys, now).Take(Most).ToList();
        var eligible = closed.Count == 0 ? null : calendar.NextOpen(names.Keys, now);
        return closed.Select(gate => new Gate(
            "window", gate.Deny ? $"{names[gate.Device]} is in the deny window '{gate.Name}'" : $"{names[gate.Device]} is outside its allow windows, such as '{gate.Name}'", gate.Device, null, eligible));
    }

    private sealed record DeviceRow(Guid DeviceId, string Name);

    private sealed record Row(string Code, string Detail, Guid DeviceId, Guid? RunId);
}
