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

    public static async Task<Results<Ok<Page<EndpointConnectionView>>, Problem>> List(
        SystemDb db, [AsParameters] EndpointConnectionFilter filter, [AsParameters] PageQuery page, CancellationToken cancel)
    {
        if (filter.Verdict is { } verdict && !Wire.TryValue<Verdict>(verdict, out _))
        {
            return Web.Problems.Refused.At("/verdict", "not_allowed", "accept, reject or leave.");
        }

        var read =
            await page.Read(
                $"endpoint-connections?{filter}", (below, take) => Find(db, null, filter, below, take, cancel), view => view.Id.Value);
        return read.Refused(out var problem, out var value) ? problem : TypedResults.Ok(value);
    }

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
        if (await Lock(db, id, cancel) is not { } connection)
        {
            return Web.Problems.NotFound.With();
        }

        if (_over.Contains(connection.State, StringComparer.OrdinalIgnoreCase))
        {
            return Problems.ConnectionOver.With($"The connection is {connection.State}.");
        }

        if (connection.Advice is not null)
        {
            return Problems.ConnectionRejected.With($"EC2 answered {connection.Fault}.");
        }

        var wanted = request.TenantId?.Value;
        // A suspended tenant of the account still has its endpoints: then the other one must be named.
        var tenants = await db.Query<Named>(
            $"""
            select t.tenant_id, t.state = 'active' as active from onboarding.tenant t
            where t.state in ('active', 'suspended') and (t.tenant_id = {wanted}
              or ({wanted}::uuid is null and exists (select from onboarding.tenant_account a where a.tenant_id = t.tenant_id and a.account = {connection.Owner} and a.active)))
            """,
            cancel);
        if (tenants is not [(var tenant, true)])
        {
            return Problems.NoTenantForEndpoint.With();
        }

        // Whoever had it is out now, not with the next round.
        if (connection.TenantId is { } holder && holder.Value != tenant && await EndpointConnections.Unbind(db, id, "moved", cancel) > 0)
        {
            db.AfterCommit.Add(directory.Forget);
            db.AfterCommit.Add(bell.Ring);
        }

        return await Decide(
            db, connection, new Decision(Verdict.Accept, "operator", request.Reason, tenant), new(tenant), caller, signal, cancel);
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
        if (await Lock(db, id, cancel) is not { } connection)
        {
            return Web.Problems.NotFound.With();
        }

        if (_over.Contains(connection.State, StringComparer.OrdinalIgnoreCase))
        {
            return Problems.ConnectionOver.With($"The connection is {connection.State}.");
        }

        // The customer is out now, however long EC2 takes.
        if (await EndpointConnections.Unbind(db, id, "rejected", cancel) > 0)
        {
            db.AfterCommit.Add(directory.Forget);
            db.AfterCommit.Add(bell.Ring);
        }

        return await Decide(
            db, connection, new Decision(Verdict.Reject, "operator", request.Reason, connection.TenantId?.Value ?? connection.DecidedFor),
            connection.TenantId, caller, signal, cancel);
    }

    /// <summary>EC2 is called by the reconcile loop, never inside a request's transaction.</summary>
    private static async Task<Results<Ok<EndpointConnectionView>, Problem>> Decide(
        SystemDb db, Locked connection, Decision decision, TenantId? tenant, OperatorCaller caller, ReconcileSignal signal,
        CancellationToken cancel)
    {
        if (decision.Reason.Length is < 1 or > 500)
        {
            return Web.Problems.Refused.At("/reason", "length", "1 to 500 characters.");
        }

        var (id, madeBy) = (new EndpointConnectionId(connection.Id), $"operator:{caller.Name}");
        // Said again, it is the same decision.
        if (connection.DecidedBy != madeBy || connection.Verdict != decision.Verdict || connection.Reason != decision.Reason
            || connection.DecidedFor != decision.BoundTenant)
        {
            var back = connection.TakesBack || connection.Verdict == Verdict.Reject
                || connection.State.Equals("rejected", StringComparison.OrdinalIgnoreCase);
            await Decisions.Write(db, [new Made(connection.Id, connection.Decision, back, decision)], madeBy, cancel);
            if (tenant is { } told)
            {
                var action = decision.Verdict == Verdict.Accept ? "endpoint.accepted" : "endpoint.rejected";
                await new AuditLog(db)
                    .Append(told, madeBy, caller.Name, connection.EndpointId, action, $"{id}", new { decision.Reason }, cancel);
            }
        }

        db.AfterCommit.Add(signal.Nudge);
        return TypedResults.Ok((await Find(db, connection.Id, new(), null, 1, cancel))[0]);
    }

    private static async Task<Locked?> Lock(SystemDb db, EndpointConnectionId id, CancellationToken cancel)
    {
        await db.Execute($"select from onboarding.endpoint_connection where id = {id.Value} for update", cancel);
        var rows = await db.Query<Locked>(
            $"""
            select c.id, c.endpoint_id, c.owner, case when c.missed >= {EndpointConnections.MissedUntilGone} then 'gone' else c.state end as state, c.decision, c.fault,
                   d.verdict, d.reason, d.made_by as decided_by, d.bound_tenant as decided_for, coalesce(d.takes_back, false) as takes_back, b.tenant_id,
                   case when d.verdict = 'accept' and lower(c.state) = 'rejected' and c.fault is not null then 'recreate' end as advice
            from onboarding.endpoint_connection c left join onboarding.acceptance_decision d on d.id = c.decision
            left join onboarding.binding b on b.connection = c.id and b.ended_at is null
            where c.id = {id.Value}
            """,
            cancel);
        return rows is [var row] ? row : null;
    }

    private static Task<List<EndpointConnectionView>> Find(
        SystemDb db, Guid? id, EndpointConnectionFilter filter, Guid? below, int take, CancellationToken cancel) =>
            db.Query<EndpointConnectionView>(
        $"""
        select c.id, c.endpoint_id, c.owner, case when c.missed >= {EndpointConnections.MissedUntilGone} then 'gone' else c.state end as state, c.region, c.endpoint_created_at,
               c.first_seen_at, c.last_seen_at, d.verdict, d.rule, d.policy_version, d.reason, d.made_by as decided_by, c.fault,
               case when c.fault is not null then c.ask_at end as ask_again_at,
               case when d.verdict = 'accept' and lower(c.state) = 'rejected' and c.fault is not null
                    then 'EC2 does not take this connection back: the customer deletes the endpoint and creates it anew.' end as advice, b.tenant_id
        from onboarding.endpoint_connection c left join onboarding.acceptance_decision d on d.id = c.decision
        left join onboarding.binding b on b.connection = c.id and b.ended_at is null
        where ({id}::uuid is null or c.id = {id}) and ({below}::uuid is null or c.id < {below})
          and ({filter.State}::text is null or lower({filter.State}) = case when c.missed >= {EndpointConnections.MissedUntilGone} then 'gone' else lower(c.state) end)
          and ({filter.Verdict}::text is null or d.verdict = {filter.Verdict}) and ({filter.Owner}::text is null or c.owner = {filter.Owner})
          and ({filter.TenantId?.Value}::uuid is null or b.tenant_id = {filter.TenantId?.Value} or d.bound_tenant = {filter.TenantId?.Value})
          and (not {filter.Waiting} or (c.missed < {EndpointConnections.MissedUntilGone} and coalesce(d.verdict, 'leave') = 'leave'
            and (lower(c.state) in ('pendingacceptance', 'pending', 'available') or (lower(c.state) = 'rejected' and d.takes_back)) and b.id is null))
        order by c.id desc limit {take}
        """,
        cancel);

    private sealed record Locked(
        Guid Id, string EndpointId, string Owner, string State, Guid? Decision, string? Fault, Verdict? Verdict, string? Reason,
        string? DecidedBy, Guid? DecidedFor,
        bool TakesBack, TenantId? TenantId, string? Advice);

    private sealed record Named(Guid TenantId, bool Active);
}
