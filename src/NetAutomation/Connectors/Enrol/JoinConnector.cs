using System.Security.Cryptography;
using System.Text;
using NetAutomation.Persistence;
using NetAutomation.Tunnel;
using NetAutomation.Web;

namespace NetAutomation.Connectors.Enrol;

/// <summary>Binds a host's public key to a connector with its one-time token.</summary>
internal sealed class JoinConnector(IServiceScopeFactory scopes)
{
    /// <summary>Null where the token is not this tenant's, expired, or used with another key. The same key may ask again.</summary>
    public async Task<JoinReply?> Bind(TenantId tenant, JoinRequest request, CancellationToken cancel)
    {
        await using var scope = scopes.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<NetAutomationDb>();
        await using var transaction = await db.Begin(tenant, cancel);
        var digest = SHA256.HashData(Encoding.UTF8.GetBytes(request.Token));
        var key = Convert.FromBase64String(request.PublicKey);
        var rows = await db.Query<Row>(
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

        var connector = new ConnectorId(row.Id);
        if (!row.Used)
        {
            var version = request.Version.Length > 50 ? request.Version[..50] : request.Version;
            await db.Execute(
                $"""
                update connectors.connector set public_key = {key}, state = 'active', version = {version}, row_version = row_version + 1
                where tenant_id = {tenant.Value} and id = {row.Id}
                """,
                cancel);
            await db.Execute(
                $"update connectors.join_token set used_at = now() where tenant_id = {tenant.Value} and sha256 = {digest}", cancel);
            await scope.ServiceProvider.GetRequiredService<AuditLog>().Append(
                tenant, $"{connector}", row.Name, null, "connector.joined", $"{connector}",
                new { keySha256 = Convert.ToHexStringLower(SHA256.HashData(key)) }, cancel);
            await transaction.CommitAsync(cancel);
        }

        return new JoinReply($"{connector}", $"{new SiteId(row.Site)}", row.Name);
    }

    private sealed record Row(Guid Id, Guid Site, string Name, byte[]? Bound, bool Used);
}
