using Microsoft.Extensions.Options;
using NetAutomation.Content;
using NetAutomation.Persistence;
using NetAutomation.Web;

namespace NetAutomation.Platforms.Publish;

/// <summary>Publishes the platforms this process ships with, at start. Any number of processes may do so at once.</summary>
internal sealed partial class PlatformPublisher(
    IServiceScopeFactory scopes, IOptions<ContentOptions> options, ILogger<PlatformPublisher> log) : IHostedService
{
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        if (options.Value.PlatformsDirectory is not { } directory)
        {
            Log.Nothing(log);
            return;
        }

        await using var scope = scopes.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<SystemDb>();
        await using var transaction = await db.Database.BeginTransactionAsync(cancellationToken);
        foreach (var refusal in await Publish(db, directory, cancellationToken))
        {
            Log.Refused(log, refusal);
        }

        await transaction.CommitAsync(cancellationToken);
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>
    /// Publishes every platform folder that is not published yet, within the caller's transaction. Returns why folders were refused.
    /// </summary>
    public static async Task<IReadOnlyList<string>> Publish(SystemDb db, string directory, CancellationToken cancel)
    {
        await db.Execute($"select pg_advisory_xact_lock(7205759405)", cancel);
        return await ContentFolder.Each(directory, folder => Publish(db, folder, PlatformManifest.Read(folder), cancel));
    }

    private static async Task Publish(SystemDb db, ContentFolder folder, PlatformManifest manifest, CancellationToken cancel)
    {
        var known = await db.Scalar<string>(
            $"select digest as \"Value\" from platforms.platform_version where name = {manifest.Name} and version = {manifest.Version}",
            cancel);
        if (known is not null)
        {
            folder.MustBe(known, "platform.yaml", manifest.Version);
            return;
        }

        var number = SemanticVersion.Read(manifest.Version)!.Value;
        string[] logins = [.. manifest.Logins.Select(Wire.Name)];
        await PublishedFiles.Store(db, folder, cancel);
        await db.Execute(
            $"""
            insert into platforms.platform_version (name, version, major, minor, patch, digest, title, connection, port, logins, guard)
            values ({manifest.Name}, {manifest.Version}, {number.Major}, {number.Minor}, {number.Patch}, {folder.Digest}, {manifest.Title},
                    {Wire.Name(manifest.Connection)}, {manifest.Port}, {logins}, {Wire.Name(manifest.Guard)})
            """,
            cancel);
    }

    private static partial class Log
    {
        [LoggerMessage(1401, LogLevel.Warning, "Catalog:PlatformsDirectory is not set: this process publishes no platforms")]
        public static partial void Nothing(ILogger logger);

        [LoggerMessage(1402, LogLevel.Error, "A platform is not published, and what was published before goes on: {Refusal}")]
        public static partial void Refused(ILogger logger, string refusal);
    }
}
