using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Onboarding.Connections;
using NetAutomation.Persistence;
using NetAutomation.Platform;

namespace NetAutomation.Onboarding.Operators;

/// <summary>An endpoint connection and what was decided about it.</summary>
/// <param name="Id">The connection.</param>
/// <param name="EndpointId">The VPC endpoint.</param>
/// <param name="Owner">AWS account that owns the endpoint.</param>
/// <param name="State">As EC2 shows it.</param>
/// <param name="Region">Where the endpoint is, if not here.</param>
/// <param name="EndpointCreatedAt">When the endpoint was made.</param>
/// <param name="FirstSeenAt">When it was seen first.</param>
/// <param name="LastSeenAt">When it was seen last.</param>
/// <param name="Verdict">accept, reject or leave; null before the first decision.</param>
/// <param name="Rule">The rule that decided.</param>
/// <param name="Reason">Why, for a person.</param>
/// <param name="DecidedBy">policy, or an operator.</param>
/// <param name="Fault">Code of EC2's last refusal to do what was decided.</param>
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
    string? Reason,
    string? DecidedBy,
    string? Fault,
    TenantId? TenantId);

/// <summary>Accepts a connection.</summary>
/// <param name="TenantId">Whose it is; needed where the endpoint's account does not name one active tenant.</param>
/// <param name="Reason">Why.</param>
public sealed record AcceptConnectionRequest(string Reason, TenantId? TenantId = null);

/// <summary>Rejects a connection.</summary>
/// <param name="Reason">Why; the customer reads it on the registration page, since EC2 carries none.</param>
public sealed record RejectConnectionRequest(string Reason);

internal static class OperateConnections
{
    public static async Task<Results<Ok<Page<EndpointConnectionView>>, Problem>> List(SystemDb db, [AsParameters] PageQuery page, CancellationToken cancel)
    {
        var read = await page.Read("endpoint-connections", (below, take) => Find(db, null, below, take, cancel), view => view.Id.Value);
        return read.Refused(out var problem, out var value) ? problem : TypedResults.Ok(value);
    }

    public static async Task<Results<Ok<EndpointConnectionView>, Problem>> Accept(
        EndpointConnectionId id, AcceptConnectionRequest request, SystemDb db, OperatorCaller caller, ReconcileSignal signal, CancellationToken cancel)
    {
        if (await Find(db, id.Value, null, 1, cancel) is not [var connection])
        {
            return Platform.Problems.NotFound.With();
        }

        var wanted = request.TenantId?.Value;
        var tenants = await db.Query<Guid>(
            $"""
            select t.tenant_id from onboarding.tenant t
            where t.state = 'active' and (t.tenant_id = {wanted}
              or ({wanted}::uuid is null and exists (select from onboarding.tenant_account a where a.tenant_id = t.tenant_id and a.account = {connection.Owner} and a.active)))
            """,
            cancel);
        if (tenants is not [var tenant])
        {
            return Problems.NoTenantForEndpoint.With();
        }

        return await Decide(db, id, new Decision(Verdict.Accept, "operator", request.Reason, tenant), caller, signal, cancel);
    }

    public static async Task<Results<Ok<EndpointConnectionView>, Problem>> Reject(
        EndpointConnectionId id,
        RejectConnectionRequest request,
        SystemDb db,
        OperatorCaller caller,
        ReconcileSignal signal,
        TenantDirectory directory,
        CancellationToken cancel)
    {
        if (await Find(db, id.Value, null, 1, cancel) is not [_])
        {
            return Platform.Problems.NotFound.With();
        }

        // The customer is out now, however long EC2 takes.
        await EndpointConnections.Unbind(db, id, "rejected", cancel);
        db.AfterCommit.Add(directory.Forget);
        return await Decide(db, id, new Decision(Verdict.Reject, "operator", request.Reason, null), caller, signal, cancel);
    }

    /// <summary>EC2 is called by the reconcile loop, never inside a request's transaction.</summary>
    private static async Task<Results<Ok<EndpointConnectionView>, Problem>> Decide(
        SystemDb db, EndpointConnectionId id, Decision decision, OperatorCaller caller, ReconcileSignal signal, CancellationToken cancel)
    {
        if (decision.Reason.Length is < 1 or > 500)
        {
            return Platform.Problems.Refused.At("/reason", "length", "1 to 500 characters.");
        }

        await Decisions.Write(db, id, decision, $"operator:{caller.Name}", cancel);
        if (decision.BoundTenant is { } tenant)
        {
            await new AuditLog(db).Append(new(tenant), $"operator:{caller.Name}", caller.Name, null, "endpoint.accepted", $"{id}", new { decision.Reason }, cancel);
        }

        db.AfterCommit.Add(signal.Nudge);
        return TypedResults.Ok((await Find(db, id.Value, null, 1, cancel))[0]);
    }

    private static Task<List<EndpointConnectionView>> Find(SystemDb db, Guid? id, Guid? below, int take, CancellationToken cancel) => db.Query<EndpointConnectionView>(
        $"""
        select c.id, c.endpoint_id, c.owner, case when c.missed >= 3 then 'gone' else c.state end as state, c.region, c.endpoint_created_at, c.first_seen_at,
               c.last_seen_at, d.verdict, d.rule, d.reason, d.made_by as decided_by, c.fault, b.tenant_id
        from onboarding.endpoint_connection c
        left join lateral (select * from onboarding.acceptance_decision d where d.connection = c.id order by d.id desc limit 1) d on true
        left join onboarding.binding b on b.connection = c.id and b.ended_at is null
        where ({id}::uuid is null or c.id = {id}) and ({below}::uuid is null or c.id < {below}) order by c.id desc limit {take}
        """,
        cancel);
}
