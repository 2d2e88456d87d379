using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Connectors.Links;
using NetAutomation.Persistence;
using NetAutomation.Web;
using NetAutomation.Web.Http;

namespace NetAutomation.Connectors.Enrol;

/// <summary>Revokes for good: sessions of this process end with the commit, those of others at their next heartbeat.</summary>
internal static class RevokeConnector
{
    /// <summary>Revokes a connector and ends its sessions.</summary>
    public static async Task<Results<NoContent, Problem>> Handle(
        ConnectorId id, HttpContext http, Caller caller, NetAutomationDb db, AuditLog audit, LinkHub hub, CancellationToken cancel)
    {
        var rows = await db.Query<Row>(
            $"""
            select state, row_version from connectors.connector
            where tenant_id = {caller.Tenant.Value} and id = {id.Value} for update
            """,
            cancel);
        if (rows is not [var row])
        {
            return Web.Problems.NotFound.With();
        }

        if (ETags.Check(http, row.RowVersion) is { } stale)
        {
            return stale;
        }

        if (row.State != "revoked")
        {
            await db.Execute(
                $"""
                update connectors.connector set state = 'revoked', row_version = row_version + 1
                where tenant_id = {caller.Tenant.Value} and id = {id.Value}
                """,
                cancel);
            await audit.Append(caller, "connector.revoked", $"{id}", null, cancel);
            db.AfterCommit.Add(() => hub.Cut(id));
        }

        return TypedResults.NoContent();
    }

    private sealed record Row(string State, int RowVersion);
}
