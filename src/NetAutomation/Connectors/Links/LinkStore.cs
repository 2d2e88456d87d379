using System.Security.Cryptography;
using System.Text;
using NetAutomation.Persistence;
using NetAutomation.Tunnel;
using NetAutomation.Web;

namespace NetAutomation.Connectors.Links;

/// <summary>Connectors and their sessions in the database.</summary>
internal sealed class LinkStore(IServiceScopeFactory scopes)
{
    /// <summary>A connector's key and site, or null.</summary>
    public async Task<KnownConnector?> Find(TenantId tenant, ConnectorId connector, CancellationToken cancel) =>
        (await Query<KnownConnector>(
            tenant,
            $"""
            select site_id, state, public_key, clock_timestamp() as now from connectors.connector
            where tenant_id = {tenant.Value} and id = {connector.Value} and public_key is not null
            """,
            cancel)).FirstOrDefault();

    /// <summary>
    /// Binds a host's public key to a connector with its one-time token. Null where the token is not this tenant's, expired, or used with
    /// another key. The same key may ask again.
    /// </summary>
    public Task<JoinReply?> Bind(TenantId tenant, JoinRequest request, CancellationToken cancel) => InTenant<JoinReply?>(
        tenant,
        async (db, audit) =>
        {
            var digest = SHA256.HashData(Encoding.UTF8.GetBytes(request.Token));
            var key = Convert.FromBase64String(request.PublicKey);
            var rows = await db.Query<TokenRow>(
                $"""
                select c.id, c.site_id as site, c.name, c.public_key as bound, t.used_at is not null as used
                from connectors.join_token t join connectors.connector c on c.tenant_id = t.tenant_id and c.id = t.connector_id
                where t.tenant_id = {tenant.Value} and t.sha256 = {digest} and t.expires_at > now() and c.state in ('pending', 'active')
                for update of t, c
                """,
                cancel);
            if (rows is not [var row] || (row.Used && !key.AsSpan().SequenceEqual(row.Bound)))
            {
                return null;
            }

            if (!row.Used)
            {
                await db.Execute(
                    $"""
                    update connectors.connector set public_key = {key}, state = 'active', version = {Short(request.Version)},
                      row_version = row_version + 1
                    where tenant_id = {tenant.Value} and id = {row.Id.Value}
                    """,
                    cancel);
                await db.Execute(
                    $"update connectors.join_token set used_at = now() where tenant_id = {tenant.Value} and sha256 = {digest}", cancel);
                await audit.Append(
                    tenant, $"{row.Id}", row.Name, null, "connector.joined", $"{row.Id}",
                    new { keySha256 = Convert.ToHexStringLower(SHA256.HashData(key)) }, cancel);
            }

            return new JoinReply($"{row.Id}", $"{row.Site}", row.Name);
        },
        cancel);

    /// <summary>
    /// Writes the session of a link. Returns "active" where it may be served, the state of a connector that may not, or "superseded" where
    /// a newer instance has attached. One that answered a challenge given after that is alive beside it: the connector's key was copied,
    /// and the connector is locked for good.
    /// </summary>
    /// <param name="challenged">When the challenge was given, by the database's clock, or a little earlier.</param>
    public Task<string> Attached(
        LinkSession link, string replica, string? replicaUrl, AttachStatement statement, DateTimeOffset challenged, string? address,
        CancellationToken cancel) => InTenant(
        link.Tenant,
        async (db, audit) =>
        {
            var (tenant, connector) = (link.Tenant.Value, link.Connector.Value);
            var stored = (await db.Query<InstanceRow>(
                $"""
                select name, state, generation, instance, instance_address as address, instance_since as since from connectors.connector
                where tenant_id = {tenant} and id = {connector} for update
                """,
                cancel)).Single();
            if (stored.State != "active")
            {
                return stored.State;
            }

            if (statement.Generation < stored.Generation
                || (statement.Generation == stored.Generation && statement.Instance != stored.Instance))
            {
                if (challenged <= stored.Since)
                {
                    return RefusalReasons.Superseded;
                }

                await db.Execute(
                    $"""
                    update connectors.connector set state = 'cloned', row_version = row_version + 1
                    where tenant_id = {tenant} and id = {connector}
                    """,
                    cancel);
                await audit.Append(
                    link.Tenant, $"{link.Connector}", stored.Name, link.Endpoint.EndpointId, "connector.cloned", $"{link.Connector}",
                    new { statement.Generation, address, otherGeneration = stored.Generation, otherAddress = stored.Address }, cancel);
                return RefusalReasons.Cloned;
            }

            await db.Execute(
                $"""
                update connectors.connector set last_seen_at = now(), version = {Short(statement.Version)},
                  highest_fence = greatest(highest_fence, {statement.HighestFence}), generation = {statement.Generation},
                  instance = {statement.Instance}, instance_address = {address},
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
            return stored.State;
        },
        cancel);

    /// <summary>How many links of a connector live, over all replicas.</summary>
    public async Task<int> CountLinks(TenantId tenant, ConnectorId connector, CancellationToken cancel) => (await Query<int>(
        tenant,
        $"""
        select count(*)::int from connectors.connector_session
        where tenant_id = {tenant.Value} and connector_id = {connector.Value} and state = 'attached'
          and seen_at > now() - interval '1 minute'
        """,
        cancel))[0];

    public Task Detached(LinkSession link, CancellationToken cancel) => InTenant(
        link.Tenant,
        (db, _) => db.Execute(
            $"""
            update connectors.connector_session set state = 'closed', seen_at = now()
            where tenant_id = {link.Tenant.Value} and id = {link.Id.Value}
            """,
            cancel),
        cancel);

    /// <summary>The tenant's sessions on all replicas, for as long as a connector may still hold streams of them.</summary>
    public async Task<IReadOnlyList<KnownSession>> Sessions(TenantId tenant, CancellationToken cancel) => await Query<KnownSession>(
        tenant,
        // A replica that died was seen up to 20 s before, and its connectors notice within 40 s.
        $"""
        select s.id, s.replica_url as url, c.site_id as site, s.state = 'attached' as attached,
          s.state = 'attached' and s.seen_at > now() - interval '1 minute' as live
        from connectors.connector_session s join connectors.connector c on c.tenant_id = s.tenant_id and c.id = s.connector_id
        where s.tenant_id = {tenant.Value} and s.seen_at > now() - interval '90 seconds'
        """,
        cancel);

    /// <summary>One statement for all links of this process. Returns those that may go on: not revoked or superseded anywhere.</summary>
    public async Task<HashSet<ConnectorSessionId>> Seen(IReadOnlyCollection<LinkSession> links, CancellationToken cancel)
    {
        await using var scope = scopes.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<SystemDb>();
        var ids = links.Select(l => l.Id.Value).ToArray();
        var alive = await db.Query<ConnectorSessionId>(
            $"""
            with alive as (
              update connectors.connector_session s set seen_at = now()
              from connectors.connector c
              where s.id = any({ids}) and c.tenant_id = s.tenant_id and c.id = s.connector_id and c.state = 'active'
                and c.generation = s.generation
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
        return [.. alive];
    }

    // The column holds 50 characters.
    private static string Short(string version) => version.Length > 50 ? version[..50] : version;

    private async Task<List<T>> Query<T>(TenantId tenant, FormattableString sql, CancellationToken cancel)
    {
        await using var scope = scopes.CreateAsyncScope();
        return await scope.ServiceProvider.GetRequiredService<NetAutomationDb>().QueryAs<T>(tenant, sql, cancel);
    }

    private async Task<T> InTenant<T>(TenantId tenant, Func<NetAutomationDb, AuditLog, Task<T>> work, CancellationToken cancel)
    {
        await using var scope = scopes.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<NetAutomationDb>();
        await using var transaction = await db.Begin(tenant, cancel);
        var result = await work(db, scope.ServiceProvider.GetRequiredService<AuditLog>());
        await transaction.CommitAsync(cancel);
        return result;
    }

    /// <param name="Now">The database's clock when it was read.</param>
    public sealed record KnownConnector(SiteId SiteId, string State, byte[] PublicKey, DateTimeOffset Now)
    {
        public ECDsa? Key() => Proof.ReadPublicKey(Convert.ToBase64String(PublicKey));
    }

    /// <param name="Live">Attached, and seen within the last minute.</param>
    public sealed record KnownSession(Guid Id, string? Url, SiteId Site, bool Attached, bool Live);

    private sealed record TokenRow(ConnectorId Id, SiteId Site, string Name, byte[]? Bound, bool Used);

    private sealed record InstanceRow(string Name, string State, long Generation, string? Instance, string? Address, DateTimeOffset? Since);
}
