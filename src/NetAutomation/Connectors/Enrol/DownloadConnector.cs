using System.Security.Cryptography;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Options;
using NetAutomation.Platform;

namespace NetAutomation.Connectors.Enrol;

/// <summary>The connector's binary, since the customer's network has no other way to it. Repr-Digest (RFC 9530) carries its SHA-256.</summary>
internal static partial class DownloadConnector
{
    /// <summary>The connector program, with its SHA-256 as digest.</summary>
    public static async Task<Results<PhysicalFileHttpResult, Problem>> Handle(
        string version, string rid, HttpContext http, IOptions<ConnectorsOptions> options, CancellationToken cancel)
    {
        var path = Path.GetFullPath(Path.Combine(options.Value.ReleasesDirectory, version, rid, "netautomation-connector"));
        if (options.Value.ReleasesDirectory.Length == 0 || !Version().IsMatch(version) || !Rid().IsMatch(rid) || !File.Exists(path))
        {
            return Platform.Problems.NotFound.With();
        }

        await using var file = File.OpenRead(path);
        var digest = await SHA256.HashDataAsync(file, cancel);
        http.Response.Headers["Repr-Digest"] = $"sha-256=:{Convert.ToBase64String(digest)}:";
        return TypedResults.PhysicalFile(path, "application/octet-stream", "netautomation-connector", enableRangeProcessing: true);
    }

    [GeneratedRegex(@"^\d{1,5}\.\d{1,5}\.\d{1,5}\z", RegexOptions.None, matchTimeoutMilliseconds: 100)]
    private static partial Regex Version();

    [GeneratedRegex(@"^[a-z]{1,10}-[a-z0-9]{1,10}\z", RegexOptions.None, matchTimeoutMilliseconds: 100)]
    private static partial Regex Rid();
}
