using Microsoft.EntityFrameworkCore;
using NetAutomation.Persistence;
using NetAutomation.Runs;
using NetAutomation.Scheduling.Keep;
using NetAutomation.Web;
using NetAutomation.Web.Calendar;
using NetAutomation.Web.Evaluation;

namespace NetAutomation.Scheduling.Fire;

/// <summary>Starts the run of a schedule's first due occurrence, or records why it does not start, in one transaction.</summary>
internal sealed class StartOccurrence(
    NetAutomationDb db, RunLauncher launcher, WindowCalendars windows, LimitReached limits, AuditLog audit, TimeProvider clock)
{
    private const string Unstarted = "unstarted";

    public async Task Handle(TenantId tenant, ScheduleId id, CancellationToken cancel)
    {
        await using var transaction = await db.Begin(tenant, cancel);
        var rows = await db.Query<Head>(
            $"""
            select s.overlap, s.created_by, s.member, s.next_at, s.approval, case when m.state = 'active' then m.role end as role
            from scheduling.schedule s left join onboarding.member m on m.tenant_id = s.tenant_id and m.id = s.created_by
            where s.tenant_id = {tenant.Value} and s.id = {id.Value} and s.enabled for update of s skip locked
            """,
            cancel);
        if (rows is not [var head] || await First(tenant, id, cancel) is not { } at)
        {
            return;
        }

        if (await Running(tenant, id, cancel))
        {
            if (head.Overlap == OverlapPolicy.Queue)
            {
                return;
            }

            await Close(tenant, id, at, "skipped", new Blocked("overlap", null, head.NextAt), null, cancel);
            await transaction.CommitAsync(cancel);
            return;
        }

        if (head.Role is not { } role || role < MemberRole.Operator)
        {
            var refusal = head.Role is null ? Web.Problems.Unauthorized : Web.Problems.RoleInsufficient;
            await Refuse(
                tenant, id, at, refusal.With("The schedule's member may run nothing any more. Whoever changes the schedule takes it over."),
                head, cancel);
            await transaction.CommitAsync(cancel);
            return;
        }

        var request = (await db.Set<Schedule>().AsNoTracking().SingleAsync(each => each.Id == id, cancel)).Run;
        var caller = new Caller(tenant, ApiKeyId.None, head.CreatedBy, head.Member, role, "", false);
        var approved = head.Approval == ScheduleApproval.Approved;
        await transaction.CreateSavepointAsync(Unstarted, cancel);
        try
        {
            // A place in the queue that another run takes is noticed here, not at the commit.
            db.SendWithNext($"set constraints runs.count_queued immediate");
            var started = await launcher.Start(caller, request, new RunOrigin(id, Recurrence.Name(at), Approved: approved), cancel);
            if (started.Problem is { } problem)
            {
                await transaction.RollbackToSavepointAsync(Unstarted, cancel);
                await Refuse(tenant, id, at, problem, head, cancel);
            }
            else
            {
                await Close(tenant, id, at, "started", await Closed(tenant, started.Value, cancel), started.Value.Value, cancel);
            }
        }
        catch (Exception fault) when (limits.Of(fault) is { } full)
        {
            await transaction.RollbackToSavepointAsync(Unstarted, cancel);
            await Refuse(tenant, id, at, full, head, cancel);
        }
        catch (DeferredStatementException fault) when (fault.Refusal.ConstraintName == "run_occurrence")
        {
            await transaction.RollbackToSavepointAsync(Unstarted, cancel);
            var run = await db.Scalar<Guid>(
                $"""
                select id from runs.run
                where tenant_id = {tenant.Value} and schedule_id = {id.Value} and occurrence = {Recurrence.Name(at)}
                """,
                cancel);
            await Close(tenant, id, at, "started", null, run, cancel);
        }

        await transaction.CommitAsync(cancel);
    }

    private Task<DateTimeOffset?> First(TenantId tenant, ScheduleId id, CancellationToken cancel) => db.Scalar<DateTimeOffset?>(
        $"select min(at) from scheduling.occurrence where tenant_id = {tenant.Value} and schedule_id = {id.Value} and state = 'due'",
        cancel);

    private Task<bool> Running(TenantId tenant, ScheduleId id, CancellationToken cancel) => db.Scalar<bool>(
        $"select exists (select from runs.run where tenant_id = {tenant.Value} and schedule_id = {id.Value} and not terminal)", cancel);

    /// <summary>The window its run has to wait for.</summary>
    private async Task<Blocked?> Closed(TenantId tenant, RunId run, CancellationToken cancel)
    {
        var devices = await db.Query<DeviceId>(
            $"select device_id from runs.run_device where tenant_id = {tenant.Value} and run_id = {run.Value} order by position", cancel);
        try
        {
            return Blocked.By(await windows.Load(tenant, devices, cancel), clock.GetUtcNow());
        }
        catch (TooCostlyException costly)
        {
            return new Blocked(Web.Problems.TooCostly.Code, $"{costly.Message} to say which window it waits for.", null);
        }
    }

    private async Task Refuse(TenantId tenant, ScheduleId id, DateTimeOffset at, Problem problem, Head head, CancellationToken cancel)
    {
        var detail = problem.Errors is [var first, ..] ? first.Detail : problem.Detail ?? problem.Type.Title;
        await Close(tenant, id, at, "refused", new Blocked(problem.Type.Code, detail, head.NextAt), null, cancel);
        await audit.Append(
            tenant, $"{id}", head.Member, null, "schedule.refused", $"{id}", new { occurrence = at, problem.Type.Code, detail }, cancel);
        if (problem.Type == Runs.Problems.ApprovalRequired && head.Approval is null)
        {
            // The policy came after it.
            await db.Execute(
                $"""
                update scheduling.schedule set approval = {Wire.Name(ScheduleApproval.AwaitingApproval)}, version = version + 1
                where tenant_id = {tenant.Value} and id = {id.Value}
                """,
                cancel);
            await audit.Append(tenant, $"{id}", head.Member, null, "schedule.awaiting_approval", $"{id}", null, cancel);
        }
    }

    private Task<int> Close(
        TenantId tenant, ScheduleId id, DateTimeOffset at, string state, Blocked? blocked, Guid? run, CancellationToken cancel) =>
        db.Execute(
        $"""
        update scheduling.occurrence
        set state = {state}, code = {blocked?.Code}, detail = {blocked?.Detail}, eligible_at = {blocked?.EligibleAt}, run_id = {run}
        where tenant_id = {tenant.Value} and schedule_id = {id.Value} and at = {at}
        """,
        cancel);

    /// <param name="Role">What the member may do; null where it is disabled.</param>
    private sealed record Head(
        OverlapPolicy Overlap, MemberId CreatedBy, string Member, DateTimeOffset? NextAt, ScheduleApproval? Approval, MemberRole? Role);
}
