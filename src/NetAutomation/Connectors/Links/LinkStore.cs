using System.Security.Cryptography;
using NetAutomation.Persistence;
using NetAutomation.Tunnel;
using NetAutomation.Web;

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
            $"select site_id as site, state, public_key as key, clock_timestamp() as now from connectors.connector where tenant_id = {tenant.Value} and id = {connector.Value} and public_key is not null",
            cancel);
        return rows is [var row] ? new KnownConnector(new SiteId(row.Site), row.State, row.Key, row.Now) : null;
    }

    /// <summary>
    /// Writes the session of a link. Returns "active" where it may be served, the state of a connector that may not, or "superseded" where
    /// a newer instance has attached. One that answered a challenge given after that is alive beside it: the connector's key was copied,
    /// and the connector is locked for good.
    /// </summary>
    /// <param name="challenged">When the challenge was given, by the database's clock, or a little earlier.</param>
    public async Task<string> Attached(
        LinkSession link, string replica, string? replicaUrl, AttachStatement statement, DateTimeOffset challenged, string? address,
        CancellationToken cancel)
    {
        await using var scope = scopes.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<NetAutomationDb>();
        await using var transaction = await db.Begin(link.Tenant, cancel);
        var (tenant, connector) = (link.Tenant.Value, link.Connector.Value);
        var known = (await db.Query<InstanceRow>(
            $"""
            select name, state, generation, instance, instance_address as address, instance_since as since from connectors.connector
            where tenant_id = {tenant} and id = {connector} for update
            """,
            cancel)).Single();
        if (known.State != "active")
        {
            return known.State;
        }

        if (statement.Generation < known.Generation || (statement.Generation == known.Generation && statement.Instance != known.Instance))
        {
            if (challenged <= known.Since)
            {
                return RefusalReasons.Superseded;
            }

            await db.Execute($"update connectors.connector set state = 'cloned', row_version = row_version + 1 where tenant_id = {tenant} and id = {connector}", cancel);
            await scope.ServiceProvider.GetRequiredService<AuditLog>().Append(
                link.Tenant, $"{link.Connector}", known.Name, link.Endpoint.EndpointId, "connector.cloned", $"{link.Connector}",
                new { statement.Generation, address, otherGeneration = known.Generation, otherAddress = known.Address }, cancel);
            await transaction.CommitAsync(cancel);
            return RefusalReasons.Cloned;
        }

        var version = statement.Version.Length > 50 ? statement.Version[..50] : statement.Version;
        await db.Execute(
            $"""
            update connectors.connector set last_seen_at = now(), version = {version}, highest_fence = greatest(highest_fence, {statement.HighestFence}),
              generation = {statement.Generation}, instance = {statement.Instance}, instance_address = {address},
              instance_since = case when instance = {statement.Instance} then instance_since else clock_timestamp() end
            where tenant_id = {tenant} and id = {connector}
            """,
            cancel);
        await db.Execute(
            $"""
            insert into connectors.connector_session (tenant_id, id, connector_id, replica, replica_url, generation)
            values ({tenant}, {link.Id.Value}, {connector}, {replica}, {replicaUrl}, {statement.Generation})
            """,
            cancel);
        await transaction.CommitAsync(cancel);
        return known.State;
    }

    /// <summary>How many links of a connector live, over all replicas.</summary>
    public async Task<int> CountLinks(TenantId tenant, ConnectorId connector, CancellationToken cancel)
    {
        await using var scope = scopes.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<NetAutomationDb>();
        await using var transaction = await db.Begin(tenant, cancel);
        return await db.Scalar<int>(
            $"""
            select count(*)::int as "Value" from connectors.connector_session
            where tenant_id = {tenant.Value} and connector_id = {connector.Value} and state = 'attached' and seen_at > now() - interval '1 minute'
            """,
            cancel);
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

    /// <summary>One statement for all links of this process. Returns those that may go on: not revoked or superseded anywhere.</summary>
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
              where s.id = any({ids}) and c.tenant_id = s.tenant_id and c.id = s.connector_id and c.state = 'active' and c.generation = s.generation
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

    /// <param name="Now">The database's clock when it was read.</param>
    public sealed record KnownConnector(SiteId SiteId, string State, byte[] PublicKey, DateTimeOffset Now)
    {
        public ECDsa? Key() => Proof.ReadPublicKey(Convert.ToBase64String(PublicKey));
    }

    /// <param name="Live">Attached, and seen within the last minute.</param>
    public sealed record KnownSession(Guid Id, string? Url, Guid Site, bool Attached, bool Live);

    private sealed record ConnectorRow(Guid Site, string State, byte[] Key, DateTimeOffset Now);

    private sealed record InstanceRow(string Name, string State, long Generation, string? Instance, string? Address, DateTimeOffset? Since);

    private sealed record AliveSession(Guid Id);
}
