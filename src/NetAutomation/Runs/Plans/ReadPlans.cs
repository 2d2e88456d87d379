using System.ComponentModel;
using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Persistence;
using NetAutomation.Runs.Follow;
using NetAutomation.Web;
using NetAutomation.Web.Http;

namespace NetAutomation.Runs.Plans;

/// <summary>One device of a plan, as its check found it.</summary>
/// <param name="DeviceId">The device.</param>
/// <param name="Name">Its name when the plan was made.</param>
/// <param name="Outcome">Of the check; null until final.</param>
/// <param name="Code">Stable code of a failure.</param>
/// <param name="Message">The failure in words.</param>
/// <param name="Diff">What would change; null where nothing would.</param>
/// <param name="Before">Hash of the configuration that the plan is for. Null where the block does not read it whole: then the device is not
/// compared again.</param>
/// <param name="Guard">hard: it will go back by itself; soft: it will be put back; null without a guard, or where nothing would
/// change.</param>
public sealed record PlanDeviceView(
    DeviceId DeviceId, string Name, DeviceOutcome? Outcome, string? Code, string? Message, string? Diff, string? Before, GuardKind? Guard);

internal static class ReadPlans
{
    /// <summary>Plans, newest first.</summary>
    public static async Task<Results<Ok<Page<PlanView>>, Problem>> ListPlans(
        NetAutomationDb db, Caller caller, [AsParameters] PageQuery page, CancellationToken cancel,
        [Description("Only in this state.")] string? state = null)
    {
        if (state is not null && !Wire.TryValue<PlanState>(state, out _))
        {
            return Web.Problems.Refused.At("/state", "unknown_state", "There is no such state.");
        }

        var filter = RunFilter.When(state, $"and {PlanView.StateNow} = {state}");
        var read = await page.Read<(PlanView Plan, long Found)>(
            $"plans/{state}",
            (below, take) => PlanView.Read(
                db, caller.Tenant, $"{filter} {RunFilter.When(below, $"and p.id < {below}")}", take, cancel),
            row => row.Plan.Id.Value, row => row.Found);
        return read.Refused(out var problem, out var value)
            ? problem : TypedResults.Ok(new Page<PlanView>([.. value.Items.Select(row => row.Plan)], value.Next));
    }

    /// <summary>One plan; with <c>wait</c>, the answer comes when its check is over or the time is.</summary>
    public static async Task<Results<Ok<PlanView>, Problem>> ShowPlan(
        PlanId id, NetAutomationDb db, Caller caller, RunSignals signals, TimeProvider clock, [AsParameters] WaitQuery query,
        CancellationToken cancel)
    {
        if (query.Read().Refused(out var refused, out var wait))
        {
            return refused;
        }

        var until = clock.GetUtcNow() + wait;
        var news = Task.CompletedTask;
        while (true)
        {
            if (await PlanView.Find(db, caller.Tenant, id, cancel) is not { } view)
            {
                return Web.Problems.NotFound.With();
            }

            if (view.State != PlanState.Planning || signals.Leaving || clock.GetUtcNow() >= until)
            {
                ETags.Show(query.Http, view.Revision);
                return TypedResults.Ok(view);
            }

            await signals.Wait(news, signals.Poll, clock, cancel);
            news = signals.News(view.CheckRunId);
        }
    }

    /// <summary>The devices of a plan by their ids, newest device first.</summary>
    public static async Task<Results<Ok<Page<PlanDeviceView>>, Problem>> ListPlanDevices(
        PlanId id, NetAutomationDb db, Caller caller, [AsParameters] PageQuery page, CancellationToken cancel)
    {
        if (await PlanView.Find(db, caller.Tenant, id, cancel) is not { } plan)
        {
            return Web.Problems.NotFound.With();
        }

        var read = await page.Read<Row>(
            $"plan-devices/{id}",
            (below, take) => db.Query<Row>(
                $"""
                select device_id, name, outcome, code, message, diff, before_hash as before, guard, found
                from (
                  select *, count(*) over () as found, coalesce(sum(octet_length(diff))
                    over (order by device_id desc rows between unbounded preceding and 1 preceding), 0) as bytes
                  from (select * from runs.run_device
                        where tenant_id = {caller.Tenant.Value} and run_id = {plan.CheckRunId.Value}
                          {RunFilter.When(below, $"and device_id < {below}")}
                        order by device_id desc limit {take}) page) d
                where bytes < {PageQuery.MostBytes} order by device_id desc
                """,
                cancel),
            row => row.DeviceId.Value, row => row.Found);
        return read.Refused(out var problem, out var value)
            ? problem : TypedResults.Ok(new Page<PlanDeviceView>([.. value.Items.Select(row => row.View())], value.Next));
    }

    private sealed record Row(
        DeviceId DeviceId, string Name, DeviceOutcome? Outcome, string? Code, string? Message, string? Diff, string? Before,
        GuardKind? Guard, long Found)
    {
        public PlanDeviceView View() => new(DeviceId, Name, Outcome, Code, Message, Diff, Before, Guard);
    }
}
