using System.Text.Json;
using NetAutomation.Content;
using NetAutomation.Persistence;
using NetAutomation.Web;

namespace NetAutomation.Platforms.Publish;

/// <summary>Publishes platforms.</summary>
internal static class PlatformPublisher
{
    public static readonly ContentKind Kind = new("Catalog:PlatformsDirectory", options => options.PlatformsDirectory, Publish);

    /// <summary>
    /// Publishes every platform folder that is not published yet, within the caller's transaction. Returns the reason for each folder that
    /// was refused.
    /// </summary>
    public static async Task<IReadOnlyList<string>> Publish(SystemDb db, string directory, CancellationToken cancel)
    {
        await db.Execute($"select pg_advisory_xact_lock({(long)AdvisoryLock.PublishPlatforms})", cancel);
        var known = await db.Query<string>($"select digest from platforms.platform_version", cancel);
        return await ContentFolder.Each(
            directory,
            folder => known.Contains(folder.Digest) ? Task.CompletedTask : Publish(db, folder, PlatformManifest.Read(folder), cancel));
    }

    private static async Task Publish(SystemDb db, ContentFolder folder, PlatformManifest manifest, CancellationToken cancel)
    {
        var known = await db.Scalar<string>(
            $"select digest from platforms.platform_version where name = {manifest.Name} and version = {manifest.Version}",
            cancel);
        if (known is not null)
        {
            folder.MustBe(known, "platform.yaml", manifest.Version);
            return;
        }

        var number = SemanticVersion.Read(manifest.Version)!.Value;
        string[] logins = [.. manifest.Logins.Select(Wire.Name)];
        var reserved = JsonSerializer.Serialize(manifest.Reserved ?? []);
        await PublishedFiles.Store(db, folder, cancel);
        await db.Execute(
            $"""
            insert into platforms.platform_version (name, version, major, minor, patch, digest, title, connection, port, logins, guard,
                                                    shell, reserved)
            values ({manifest.Name}, {manifest.Version}, {number.Major}, {number.Minor}, {number.Patch}, {folder.Digest}, {manifest.Title},
                    {Wire.Name(manifest.Connection)}, {manifest.Port}, {logins}, {Wire.Name(manifest.Guard)},
                    {manifest.Terminal?.Shell is not null}, {reserved}::jsonb)
            """,
            cancel);
    }
}
