using System.ComponentModel;
using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Connections.Policy;
using NetAutomation.Connections.Reconciling;
using NetAutomation.Persistence;
using NetAutomation.Web;

namespace NetAutomation.Connections.Operators;

/// <summary>An endpoint connection and what was decided about it.</summary>
/// <param name="Id">The connection.</param>
/// <param name="EndpointId">The VPC endpoint.</param>
/// <param name="Owner">AWS account that owns the endpoint.</param>
/// <param name="State">As EC2 shows it; gone once it lists it no more.</param>
/// <param name="Region">Where the endpoint is, as EC2 shows it.</param>
/// <param name="EndpointCreatedAt">When the endpoint was made.</param>
/// <param name="FirstSeenAt">When it was seen first.</param>
/// <param name="LastSeenAt">When it was seen last, to the minute.</param>
/// <param name="Verdict">accept, reject or leave; null before the first decision.</param>
/// <param name="Rule">The rule that decided.</param>
/// <param name="PolicyVersion">The policy that held the rule.</param>
/// <param name="Reason">Why, for a person.</param>
/// <param name="DecidedBy">policy, or an operator.</param>
/// <param name="Fault">Code of EC2's last refusal to do what was decided.</param>
/// <param name="AskAgainAt">When EC2 is asked again.</param>
/// <param name="Advice">What helps where EC2 refuses for good.</param>
/// <param name="TenantId">The tenant it is bound to now.</param>
public sealed record EndpointConnectionView(
    EndpointConnectionId Id,
    string EndpointId,
    string Owner,
    string State,
    string? Region,
    DateTimeOffset EndpointCreatedAt,
    DateTimeOffset FirstSeenAt,
    DateTimeOffset LastSeenAt,
    string? Verdict,
    string? Rule,
    int? PolicyVersion,
    string? Reason,
    string? DecidedBy,
    string? Fault,
    DateTimeOffset? AskAgainAt,
    string? Advice,
    TenantId? TenantId);

/// <summary>Which endpoint connections are wanted.</summary>
public sealed record EndpointConnectionFilter(
    [property: Description("Only in this state, as EC2 shows it or gone.")] string? State = null,
    [property: Description("Only with this verdict: accept, reject or leave.")] string? Verdict = null,
    [property: Description("Only of this AWS account.")] string? Owner = null,
    [property: Description("Only bound to this tenant, or accepted for it.")] TenantId? TenantId = null,
    [property: Description("Only those that wait for a person to accept or reject them.")] bool Waiting = false);

/// <summary>Accepts a connection.</summary>
/// <param name="TenantId">Whose it is; needed where the endpoint's account does not name one active tenant.</param>
/// <param name="Reason">Why.</param>
public sealed record AcceptConnectionRequest(string Reason, TenantId? TenantId = null);

/// <summary>Rejects a connection.</summary>
/// <param name="Reason">Why; the customer reads it on the registration page, since EC2 carries none.</param>
public sealed record RejectConnectionRequest(string Reason);

internal static class OperateConnections
{
    private static readonly string[] _over = ["deleting", "deleted", "failed", "expired", "gone"];

    private static readonly FormattableString _decidedConnections =
        $"""
        (select c.id, c.endpoint_id, c.owner, c.region, c.endpoint_created_at, c.first_seen_at, c.last_seen_at, c.fault, c.ask_at,
           case when c.missed >= {EndpointConnections.MissedUntilGone} then 'gone' else c.state end as state, b.tenant_id, c.decision,
           d.verdict, d.rule, d.policy_version, d.reason, d.made_by, d.bound_tenant, coalesce(d.takes_back, false) as takes_back,
           coalesce(d.verdict = 'accept' and lower(c.state) = 'rejected' and c.fault is not null, false) as refused_for_good
         from onboarding.endpoint_connection c left join onboarding.acceptance_decision d on d.id = c.decision
         left join onboarding.binding b on b.connection = c.id and b.ended_at is null) c
        """;

    public static async Task<Results<Ok<Page<EndpointConnectionView>>, Problem>> List(
        SystemDb db, [AsParameters] EndpointConnectionFilter filter, [AsParameters] PageQuery page, CancellationToken cancel) =>
        filter.Verdict is { } verdict && !Wire.TryValue<Verdict>(verdict, out _)
            ? Web.Problems.Refused.At("/verdict", "not_allowed", "accept, reject or leave.")
            : await page.Answer(
                $"endpoint-connections?{filter}", (below, take) => Find(db, null, filter, below, take, cancel), view => view.Id.Value);

    public static async Task<Results<Ok<EndpointConnectionView>, Problem>> Accept(
        EndpointConnectionId id,
        AcceptConnectionRequest request,
        SystemDb db,
        OperatorCaller caller,
        ReconcileSignal signal,
        BindingDirectory directory,
        BindingBell bell,
        CancellationToken cancel)
    {
        if ((await Lock(db, id, cancel)).Refused(out var problem, out var connection))
        {
            return problem;
        }

        if (connection.RefusedForGood)
        {
            return Problems.ConnectionRejected.With($"EC2 answered {connection.Fault}.");
        }

        var wanted = request.TenantId?.Value;
        // A suspended tenant of the account keeps its endpoints, so beside it the request must name the other one.
        var tenants = await db.Query<NamedTenant>(
            $"""
            select t.tenant_id, t.state = 'active' as active from onboarding.tenant t
            where t.state in ('active', 'suspended') and (t.tenant_id = {wanted} or ({wanted}::uuid is null and exists (
              select from onboarding.tenant_account a where a.tenant_id = t.tenant_id and a.account = {connection.Owner} and a.active)))
            """,
            cancel);
        if (tenants is not [(var tenant, true)])
        {
            return Problems.NoTenantForEndpoint.With();
        }

        // The tenant that had the connection loses it now, not with the next round.
        if (connection.TenantId is { } holder && holder != tenant)
        {
            await Unbind(db, id, "moved", directory, bell, cancel);
        }

        return await Decide(
            db, connection, new Decision(Verdict.Accept, "operator", request.Reason, tenant.Value), tenant, caller, signal, cancel);
    }

    public static async Task<Results<Ok<EndpointConnectionView>, Problem>> Reject(
        EndpointConnectionId id,
        RejectConnectionRequest request,
        SystemDb db,
        OperatorCaller caller,
        ReconcileSignal signal,
        BindingDirectory directory,
        BindingBell bell,
        CancellationToken cancel)
    {
        if ((await Lock(db, id, cancel)).Refused(out var problem, out var connection))
        {
            return problem;
        }

        // The customer loses the connection now, however long EC2 takes.
        await Unbind(db, id, "rejected", directory, bell, cancel);
        return await Decide(
            db, connection, new Decision(Verdict.Reject, "operator", request.Reason, connection.TenantId?.Value ?? connection.BoundTenant),
            connection.TenantId, caller, signal, cancel);
    }

    /// <summary>The reconcile loop calls EC2, never a request inside its transaction.</summary>
    private static async Task<Results<Ok<EndpointConnectionView>, Problem>> Decide(
        SystemDb db, Locked connection, Decision decision, TenantId? tenant, OperatorCaller caller, ReconcileSignal signal,
        CancellationToken cancel)
    {
        if (ShownText.Refusal(ShownText.TextFaults(decision.Reason, "/reason")) is { } unfit)
        {
            return unfit;
        }

        // The same decision again changes nothing.
        if (connection.MadeBy != caller.Principal || connection.Verdict != decision.Verdict || connection.Reason != decision.Reason
            || connection.BoundTenant != decision.BoundTenant)
        {
            var takesBack = connection.TakesBack || connection.Verdict == Verdict.Reject
                || connection.State.Equals("rejected", StringComparison.OrdinalIgnoreCase);
            await Decisions.Write(
                db, [new NewDecision(connection.Id.Value, connection.Decision, takesBack, decision)], caller.Principal, cancel);
            if (tenant is { } holder)
            {
                await new AuditLog(db).Append(
                    holder, caller.Principal, caller.Name, connection.EndpointId,
                    decision.Verdict == Verdict.Accept ? "endpoint.accepted" : "endpoint.rejected", $"{connection.Id}",
                    new { decision.Reason }, cancel);
            }
        }

        db.AfterCommit.Add(signal.Nudge);
        return TypedResults.Ok((await Find(db, connection.Id, new(), null, 1, cancel))[0]);
    }

    /// <summary>Refuses where there is no such connection, or where it is over.</summary>
    private static async Task<Outcome<Locked>> Lock(SystemDb db, EndpointConnectionId id, CancellationToken cancel)
    {
        await db.Execute($"select from onboarding.endpoint_connection where id = {id.Value} for update", cancel);
        return await db.Scalar<Locked>(
            $"""
            select id, endpoint_id, owner, state, tenant_id, decision, verdict, reason, made_by, bound_tenant, takes_back, fault,
              refused_for_good
            from {_decidedConnections} where id = {id.Value}
            """,
            cancel) switch
        {
            null => Web.Problems.NotFound.With(),
            var found when _over.Contains(found.State, StringComparer.OrdinalIgnoreCase) =>
                Problems.ConnectionOver.With($"The connection is {found.State}."),
            var found => found,
        };
    }

    private static async Task Unbind(
        SystemDb db, EndpointConnectionId id, string reason, BindingDirectory directory, BindingBell bell, CancellationToken cancel)
    {
        if (await EndpointConnections.Unbind(db, id, reason, cancel) > 0)
        {
            db.AfterCommit.Add(directory.Forget);
            db.AfterCommit.Add(bell.Ring);
        }
    }

    private static Task<List<EndpointConnectionView>> Find(
        SystemDb db, EndpointConnectionId? id, EndpointConnectionFilter filter, Guid? below, int take, CancellationToken cancel) =>
        db.Query<EndpointConnectionView>(
        $"""
        select c.id, c.endpoint_id, c.owner, c.state, c.region, c.endpoint_created_at, c.first_seen_at, c.last_seen_at, c.tenant_id,
          c.verdict, c.rule, c.policy_version, c.reason, c.made_by as decided_by, c.fault,
          case when c.fault is not null then c.ask_at end as ask_again_at,
          case when c.refused_for_good
            then 'EC2 does not take this connection back: the customer deletes the endpoint and creates it anew.' end as advice
        from {_decidedConnections}
        where ({id?.Value}::uuid is null or c.id = {id?.Value}) and ({below}::uuid is null or c.id < {below})
          and ({filter.State}::text is null or lower({filter.State}) = lower(c.state))
          and ({filter.Verdict}::text is null or c.verdict = {filter.Verdict})
          and ({filter.Owner}::text is null or c.owner = {filter.Owner})
          and ({filter.TenantId?.Value}::uuid is null or {filter.TenantId?.Value} in (c.tenant_id, c.bound_tenant))
          and (not {filter.Waiting} or (coalesce(c.verdict, 'leave') = 'leave' and c.tenant_id is null and (
            lower(c.state) in ('pendingacceptance', 'pending', 'available') or (lower(c.state) = 'rejected' and c.takes_back))))
        order by c.id desc limit {take}
        """,
        cancel);

    private sealed record Locked(
        EndpointConnectionId Id, string EndpointId, string Owner, string State, TenantId? TenantId, Guid? Decision, Verdict? Verdict,
        string? Reason, string? MadeBy, Guid? BoundTenant, bool TakesBack, string? Fault, bool RefusedForGood);

    private sealed record NamedTenant(TenantId TenantId, bool Active);
}
