using System.Security.Cryptography;
using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Web;

namespace NetAutomation.Connectors.Enrol;

/// <summary>
/// The connector's binary, since the customer's network has no other way to it. Repr-Digest (RFC 9530) carries its SHA-256.
/// </summary>
internal static class DownloadConnector
{
    /// <summary>The connector program, with its SHA-256 as digest.</summary>
    public static async Task<Results<PhysicalFileHttpResult, Problem>> Handle(
        string version, string rid, HttpContext http, ConnectorReleases releases, CancellationToken cancel)
    {
        if (releases.Find(version, rid) is not { } path)
        {
            return Web.Problems.NotFound.With();
        }

        await using var file = File.OpenRead(path);
        var digest = await SHA256.HashDataAsync(file, cancel);
        http.Response.Headers["Repr-Digest"] = $"sha-256=:{Convert.ToBase64String(digest)}:";
        return TypedResults.PhysicalFile(path, "application/octet-stream", "netautomation-connector", enableRangeProcessing: true);
    }
}
