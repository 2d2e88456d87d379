using System.Text.RegularExpressions;
using Microsoft.Extensions.Options;

namespace NetAutomation.Connectors;

/// <summary>The connector programs this service hands out.</summary>
internal sealed partial class ConnectorReleases(IOptions<ConnectorsOptions> options)
{
    private const string Program = "netautomation-connector";

    /// <summary>Null where there is none.</summary>
    public Version? Newest => options.Value.ReleasesDirectory.Length == 0 || !Directory.Exists(options.Value.ReleasesDirectory) ? null
        : Directory.EnumerateDirectories(options.Value.ReleasesDirectory)
            .Where(folder => VersionFolder().IsMatch(Path.GetFileName(folder))
                && Directory.EnumerateDirectories(folder).Any(rid => File.Exists(Path.Combine(rid, Program))))
            .Max(folder => Version.Parse(Path.GetFileName(folder)));

    /// <summary>The newest release, where this version is older.</summary>
    public string? UpdateFor(string? version) => Version.TryParse(version, out var running) && Newest is { } newest && newest > running
        ? newest.ToString(3) : null;

    public string? Find(string version, string rid)
    {
        if (options.Value.ReleasesDirectory.Length == 0 || !VersionFolder().IsMatch(version) || !Rid().IsMatch(rid))
        {
            return null;
        }

        var path = Path.GetFullPath(Path.Combine(options.Value.ReleasesDirectory, version, rid, Program));
        return File.Exists(path) ? path : null;
    }

    [GeneratedRegex(@"^\d{1,5}\.\d{1,5}\.\d{1,5}\z", RegexOptions.None, matchTimeoutMilliseconds: 100)]
    private static partial Regex VersionFolder();

    [GeneratedRegex(@"^[a-z]{1,10}-[a-z0-9]{1,10}\z", RegexOptions.None, matchTimeoutMilliseconds: 100)]
    private static partial Regex Rid();
}
