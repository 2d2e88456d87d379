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
            (below, take) => Rows(
                db, caller.Tenant,
                $"""
                and ({below}::uuid is null or id < {below}) and ({site}::uuid is null or site_id = {site}) order by id desc limit {take}
                """,
                cancel),
            row => row.Id.Value);
        if (read.Refused(out var problem, out var rows))
        {
            return problem;
        }

        var sessions = await Sessions(db, caller.Tenant, [.. rows.Items.Select(r => r.Id.Value)], cancel);
        return TypedResults.Ok(new Page<ConnectorView>([.. rows.Items.Select(r => View(r, sessions, releases))], rows.Next));
    }

    /// <summary>One connector.</summary>
    public static async Task<Results<Ok<ConnectorView>, Problem>> One(
        ConnectorId id, HttpContext http, Caller caller, NetAutomationDb db, ConnectorReleases releases, CancellationToken cancel)
    {
        if (await Rows(db, caller.Tenant, $"and id = {id.Value}", cancel) is not [var row])
        {
            return Web.Problems.NotFound.With();
        }

        ETags.Show(http, row.RowVersion);
        return TypedResults.Ok(View(row, await Sessions(db, caller.Tenant, [id.Value], cancel), releases));
    }

    private static Task<List<Row>> Rows(NetAutomationDb db, TenantId tenant, FormattableString condition, CancellationToken cancel) =>
        db.Query<Row>(
            $"""
            select id, name, site_id, state, version, created_at, last_seen_at, row_version
            from connectors.connector where tenant_id = {tenant.Value} {condition}
            """,
            cancel);

    private static ConnectorView View(Row row, ILookup<ConnectorId, SessionRow> sessions, ConnectorReleases releases) => new(
        row.Id, row.Name, row.SiteId, row.State, row.Version, releases.UpdateFor(row.Version), row.CreatedAt, row.LastSeenAt,
        [.. sessions[row.Id].Select(s => new ConnectorSessionView(s.Id, s.Replica, s.AttachedAt, s.SeenAt))]);

    private static async Task<ILookup<ConnectorId, SessionRow>> Sessions(
        NetAutomationDb db, TenantId tenant, Guid[] connectors, CancellationToken cancel)
    {
        var rows = await db.Query<SessionRow>(
            $"""
            select id, connector_id, replica, attached_at, seen_at from connectors.connector_session
            where tenant_id = {tenant.Value} and connector_id = any({connectors}) and state = 'attached'
              and seen_at > now() - interval '1 minute'
            order by attached_at
            """,
            cancel);
        return rows.ToLookup(r => r.ConnectorId);
    }

    private sealed record Row(
        ConnectorId Id, string Name, SiteId SiteId, string State, string? Version, DateTimeOffset CreatedAt, DateTimeOffset? LastSeenAt,
        int RowVersion);

    private sealed record SessionRow(
        ConnectorSessionId Id, ConnectorId ConnectorId, string Replica, DateTimeOffset AttachedAt, DateTimeOffset SeenAt);
}
