using NetAutomation.Persistence;

namespace NetAutomation.Connectors.Links;

/// <summary>What the database knows of connectors and their sessions.</summary>
internal sealed class LinkStore(IServiceScopeFactory scopes)
{
    /// <summary>A connector's key and place, or null.</summary>
    public async Task<KnownConnector?> Find(TenantId tenant, ConnectorId connector, CancellationToken cancel)
    {
        await using var scope = scopes.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<NetAutomationDb>();
        await using var transaction = await db.Begin(tenant, cancel);
        var rows = await db.Query<ConnectorRow>(
            $"select site_id as site, state, public_key as key from connectors.connector where tenant_id = {tenant.Value} and id = {connector.Value} and public_key is not null",
            cancel);
        return rows is [var row] ? new KnownConnector(new SiteId(row.Site), row.State, row.Key) : null;
    }

    public async Task Attached(LinkSession link, string replica, string? replicaUrl, string version, long highestFence, CancellationToken cancel)
    {
        await using var scope = scopes.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<NetAutomationDb>();
        await using var transaction = await db.Begin(link.Tenant, cancel);
        await db.Execute(
            $"""
            insert into connectors.connector_session (tenant_id, id, connector_id, replica, replica_url)
            values ({link.Tenant.Value}, {link.Id.Value}, {link.Connector.Value}, {replica}, {replicaUrl})
            """,
            cancel);
        await db.Execute(
            $"""
            update connectors.connector set last_seen_at = now(), version = {version}, highest_fence = greatest(highest_fence, {highestFence})
            where tenant_id = {link.Tenant.Value} and id = {link.Connector.Value}
            """,
            cancel);
        await transaction.CommitAsync(cancel);
    }

    public async Task Detached(LinkSession link, CancellationToken cancel)
    {
        await using var scope = scopes.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<NetAutomationDb>();
        await using var transaction = await db.Begin(link.Tenant, cancel);
        await db.Execute(
            $"""
            update connectors.connector_session set state = 'closed', seen_at = now()
            where tenant_id = {link.Tenant.Value} and id = {link.Id.Value}
            """,
            cancel);
        await transaction.CommitAsync(cancel);
    }

    /// <summary>The tenant's sessions on all replicas, for as long as a connector may still hold streams of them.</summary>
    public async Task<IReadOnlyList<KnownSession>> Sessions(TenantId tenant, CancellationToken cancel)
    {
        await using var scope = scopes.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<NetAutomationDb>();
        await using var transaction = await db.Begin(tenant, cancel);
        // A replica that died was seen up to 20 s before, and its connectors notice within 40 s.
        return await db.Query<KnownSession>(
            $"""
            select s.id, s.replica_url as url, c.site_id as site, s.state = 'attached' as attached,
              s.state = 'attached' and s.seen_at > now() - interval '1 minute' as live
            from connectors.connector_session s join connectors.connector c on c.tenant_id = s.tenant_id and c.id = s.connector_id
            where s.tenant_id = {tenant.Value} and s.seen_at > now() - interval '90 seconds'
            """,
            cancel);
    }

    /// <summary>One statement for all links of this process. Returns those that may go on: not revoked anywhere.</summary>
    public async Task<HashSet<ConnectorSessionId>> Seen(IReadOnlyCollection<LinkSession> links, CancellationToken cancel)
    {
        await using var scope = scopes.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<SystemDb>();
        var ids = links.Select(l => l.Id.Value).ToArray();
        var alive = await db.Query<AliveSession>(
            $"""
            with alive as (
              update connectors.connector_session s set seen_at = now()
              from connectors.connector c
              where s.id = any({ids}) and c.tenant_id = s.tenant_id and c.id = s.connector_id and c.state = 'active'
              returning s.id, s.tenant_id, s.connector_id
            ), seen as (
              update connectors.connector c set last_seen_at = now()
              from (select distinct tenant_id, connector_id from alive) a
              where c.tenant_id = a.tenant_id and c.id = a.connector_id
            )
            select id from alive
            """,
            cancel);
        await db.Execute($"delete from connectors.connector_session where seen_at < now() - interval '7 days'", cancel);
        return [.. alive.Select(a => new ConnectorSessionId(a.Id))];
    }

    public sealed record KnownConnector(SiteId SiteId, string State, byte[] PublicKey);

    /// <param name="Live">Attached, and seen within the last minute.</param>
    public sealed record KnownSession(Guid Id, string? Url, Guid Site, bool Attached, bool Live);

    private sealed record ConnectorRow(Guid Site, string State, byte[] Key);

    private sealed record AliveSession(Guid Id);
}
