using System.Buffers.Text;
using System.ComponentModel.DataAnnotations;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Options;
using NetAutomation.Persistence;
using NetAutomation.Web;
using NetAutomation.Web.Http;
using Npgsql;

namespace NetAutomation.Connectors.Enrol;

/// <summary>A connector to be: its host binds its own key with the token.</summary>
/// <param name="Name">Unique among the tenant's connectors.</param>
/// <param name="SiteId">The site whose devices it reaches.</param>
public sealed record CreateConnectorRequest([property: StringLength(100, MinimumLength = 1)] string Name, SiteId SiteId);

/// <summary>What a new connector needs to join. The token is shown once.</summary>
/// <param name="Id">The connector.</param>
/// <param name="Name">Its name.</param>
/// <param name="SiteId">Its site.</param>
/// <param name="JoinToken">Binds one host's key, once, until it expires.</param>
/// <param name="ExpiresAt">End of the token.</param>
/// <param name="ServerName">The name in the service's certificate.</param>
/// <param name="Port">Port at the VPC endpoint.</param>
/// <param name="CaPem">The authority the connector pins.</param>
/// <param name="InstallCommand">The join command, with the token and the authority in files.</param>
public sealed record CreatedConnector(
    ConnectorId Id, string Name, SiteId SiteId, string JoinToken, DateTimeOffset ExpiresAt, string ServerName, int Port, string CaPem,
    string InstallCommand);

internal static class CreateConnector
{
    private static readonly TimeSpan _tokenLifetime = TimeSpan.FromMinutes(15);

    /// <summary>Announces a connector; its join token is shown once.</summary>
    public static async Task<Results<Created<CreatedConnector>, Problem>> Handle(
        CreateConnectorRequest request, HttpContext http, Caller caller, NetAutomationDb db, AuditLog audit,
        IOptions<ConnectorsOptions> options, ServerCertificate certificate, CancellationToken cancel)
    {
        if (ShownText.Refusal(ShownText.NameFaults(request.Name, "/name", 100)) is { } refused)
        {
            return refused;
        }

        var id = ConnectorId.New();
        var token = $"njt_{Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(32))}";
        try
        {
            await db.Execute(
                $"""
                insert into connectors.connector (tenant_id, id, site_id, name)
                values ({caller.Tenant.Value}, {id.Value}, {request.SiteId.Value}, {request.Name})
                """,
                cancel);
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.UniqueViolation)
        {
            return Problems.NameTaken.At("/name", "taken", "Another connector has this name.");
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.ForeignKeyViolation)
        {
            return Web.Problems.Refused.At("/siteId", "unknown", "There is no such site.");
        }

        var expires = await db.Scalar<DateTimeOffset>(
            $"""
            insert into connectors.join_token (tenant_id, sha256, connector_id, expires_at)
            values ({caller.Tenant.Value}, {SHA256.HashData(Encoding.UTF8.GetBytes(token))}, {id.Value}, now() + {_tokenLifetime})
            returning expires_at as "Value"
            """,
            cancel);
        await audit.Append(caller, "connector.created", $"{id}", new { request.Name, request.SiteId }, cancel);
        ETags.Show(http, 1);
        var (server, port) = (certificate.ServerName, options.Value.Port);
        var command = $"netautomation-connector join --endpoint {server}:{port} --server-name {server} --ca ca.pem "
            + "--token-file join-token --state /var/lib/netautomation-connector";
        return TypedResults.Created(
            $"/v1/connectors/{id}",
            new CreatedConnector(id, request.Name, request.SiteId, token, expires, server, port, certificate.CaPem, command));
    }
}
