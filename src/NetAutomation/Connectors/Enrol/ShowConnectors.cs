using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Persistence;
using NetAutomation.Web;
using NetAutomation.Web.Http;

namespace NetAutomation.Connectors.Enrol;

/// <summary>A connector as its tenant sees it.</summary>
/// <param name="Id">The connector.</param>
/// <param name="Name">Its name.</param>
/// <param name="SiteId">Its site.</param>
/// <param name="State">pending until it has joined, then active, then revoked; cloned where two copies of its key were alive at once:
/// revoke it and join anew.</param>
/// <param name="Version">Version of its software at the last attach.</param>
/// <param name="UpdateTo">The newest release, where that version is older.</param>
/// <param name="CreatedAt">When it was made.</param>
/// <param name="LastSeenAt">When a session of it was last alive.</param>
/// <param name="Sessions">Its live links.</param>
public sealed record ConnectorView(
    ConnectorId Id, string Name, SiteId SiteId, string State, string? Version, string? UpdateTo, DateTimeOffset CreatedAt,
    DateTimeOffset? LastSeenAt, IReadOnlyList<ConnectorSessionView> Sessions);

/// <summary>A live link.</summary>
/// <param name="Id">The session.</param>
/// <param name="Replica">The process of the service that holds it.</param>
/// <param name="AttachedAt">Since when.</param>
/// <param name="SeenAt">Last sign of life, within a minute.</param>
public sealed record ConnectorSessionView(ConnectorSessionId Id, string Replica, DateTimeOffset AttachedAt, DateTimeOffset SeenAt);

internal static class ShowConnectors
{
    /// <summary>Connectors, newest first.</summary>
    public static async Task<Results<Ok<Page<ConnectorView>>, Problem>> List(
        [AsParameters] PageQuery page, SiteId? siteId, Caller caller, NetAutomationDb db, ConnectorReleases releases,
        CancellationToken cancel)
    {
        var site = siteId?.Value;
        var read = await page.Read(
            $"connectors {siteId}",
            (below, take) => db.Query<Row>(
                $"""
                select id, name, site_id as site, state, version, created_at as created, last_seen_at as seen, row_version as revision from connectors.connector
                where tenant_id = {caller.Tenant.Value} and ({below}::uuid is null or id < {below}) and ({site}::uuid is null or site_id = {site})
                order by id desc limit {take}
                """,
                cancel),
            row => row.Id);
        if (read.Refused(out var problem, out var rows))
        {
            return problem;
        }

        var sessions = await Sessions(db, caller.Tenant, [.. rows.Items.Select(r => r.Id)], cancel);
        return TypedResults.Ok(new Page<ConnectorView>([.. rows.Items.Select(r => View(r, sessions, releases))], rows.Next));
    }

    /// <summary>One connector.</summary>
    public static async Task<Results<Ok<ConnectorView>, Problem>> One(
        ConnectorId id, HttpContext http, Caller caller, NetAutomationDb db, ConnectorReleases releases, CancellationToken cancel)
    {
        var rows = await db.Query<Row>(
            $"""
            select id, name, site_id as site, state, version, created_at as created, last_seen_at as seen, row_version as revision from connectors.connector
            where tenant_id = {caller.Tenant.Value} and id = {id.Value}
            """,
            cancel);
        if (rows is not [var row])
        {
            return Web.Problems.NotFound.With();
        }

        ETags.Show(http, row.Revision);
        return TypedResults.Ok(View(row, await Sessions(db, caller.Tenant, [id.Value], cancel), releases));
    }

    private static ConnectorView View(Row row, ILookup<Guid, SessionRow> sessions, ConnectorReleases releases) => new(
        new(row.Id), row.Name, new(row.Site), row.State, row.Version, releases.UpdateFor(row.Version), row.Created, row.Seen,
        [.. sessions[row.Id].Select(s => new ConnectorSessionView(new(s.Id), s.Replica, s.Attached, s.Seen))]);

    private static async Task<ILookup<Guid, SessionRow>> Sessions(
        NetAutomationDb db, TenantId tenant, Guid[] connectors, CancellationToken cancel)
    {
        var rows = await db.Query<SessionRow>(
            $"""
            select id, connector_id as connector, replica, attached_at as attached, seen_at as seen from connectors.connector_session
            where tenant_id = {tenant.Value} and connector_id = any({connectors}) and state = 'attached' and seen_at > now() - interval '1 minute'
            order by attached_at
            """,
            cancel);
        return rows.ToLookup(r => r.Connector);
    }

    private sealed record Row(
        Guid Id, string Name, Guid Site, string State, string? Version, DateTimeOffset Created, DateTimeOffset? Seen, int Revision);

    private sealed record SessionRow(Guid Id, Guid Connector, string Replica, DateTimeOffset Attached, DateTimeOffset Seen);
}
