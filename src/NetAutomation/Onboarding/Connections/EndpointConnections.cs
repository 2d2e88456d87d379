using NetAutomation.Persistence;

namespace NetAutomation.Onboarding.Connections;

/// <summary>An endpoint connection as EC2 lists it.</summary>
internal sealed record Observed(
    string ServiceId, string EndpointId, string Owner, DateTimeOffset CreatedAt, string State, string? ConnectionId = null, string? Region = null);

/// <summary>The rows behind endpoint connections and bindings.</summary>
internal static class EndpointConnections
{
    public static async Task<EndpointConnectionId> Store(SystemDb db, Observed seen, CancellationToken cancel)
    {
        var id = await db.Scalar<Guid>(
            $"""
            insert into onboarding.endpoint_connection (id, service_id, endpoint_id, owner, endpoint_created_at, connection_id, region, state)
            values ({EndpointConnectionId.New().Value}, {seen.ServiceId}, {seen.EndpointId}, {seen.Owner}, {seen.CreatedAt.ToUniversalTime()},
                    {seen.ConnectionId}, {seen.Region}, {seen.State})
            on conflict (service_id, endpoint_id, owner, endpoint_created_at) do update
            set state = excluded.state, connection_id = coalesce(excluded.connection_id, onboarding.endpoint_connection.connection_id),
                region = coalesce(excluded.region, onboarding.endpoint_connection.region), last_seen_at = now(), missed = 0
            returning id as "Value"
            """,
            cancel);
        return new EndpointConnectionId(id);
    }

    /// <summary>Idempotent. A binding of the same endpoint to another connection or tenant must have ended before.</summary>
    public static Task Bind(SystemDb db, EndpointConnectionId connection, string endpointId, TenantId tenant, CancellationToken cancel) => db.Execute(
        $"""
        insert into onboarding.binding (tenant_id, id, connection, endpoint_id)
        values ({tenant.Value}, {Guid.CreateVersion7()}, {connection.Value}, {endpointId})
        on conflict (endpoint_id) where ended_at is null do nothing
        """,
        cancel);

    public static Task<int> Unbind(SystemDb db, EndpointConnectionId connection, string reason, CancellationToken cancel) => db.Execute(
        $"update onboarding.binding set ended_at = now(), end_reason = {reason} where connection = {connection.Value} and ended_at is null", cancel);
}
