using Microsoft.Extensions.Options;
using NetAutomation.Persistence;

namespace NetAutomation.Content;

/// <summary>One kind of content that a process ships with.</summary>
/// <param name="Setting">The key of the directory that holds its folders.</param>
/// <param name="Publish">Publishes the folders within the caller's transaction; returns the reason for each refused folder.</param>
internal sealed record ContentKind(
    string Setting, Func<ContentOptions, string?> Directory,
    Func<SystemDb, string, CancellationToken, Task<IReadOnlyList<string>>> Publish);

/// <summary>
/// Publishes, at start, the content that this process ships with, one kind after the other. Several processes may publish at the same time.
/// </summary>
internal sealed partial class ContentPublisher(
    IEnumerable<ContentKind> kinds, IServiceScopeFactory scopes, IOptions<ContentOptions> options, ILogger<ContentPublisher> log)
    : IHostedService
{
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        foreach (var kind in kinds)
        {
            if (kind.Directory(options.Value) is not { } directory)
            {
                Log.NoDirectory(log, kind.Setting);
                continue;
            }

            await using var scope = scopes.CreateAsyncScope();
            var db = scope.ServiceProvider.GetRequiredService<SystemDb>();
            await using var transaction = await db.Database.BeginTransactionAsync(cancellationToken);
            foreach (var refusal in await kind.Publish(db, directory, cancellationToken))
            {
                Log.Refused(log, kind.Setting, refusal);
            }

            await transaction.CommitAsync(cancellationToken);
        }
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private static partial class Log
    {
        [LoggerMessage(401, LogLevel.Warning, "{Setting} is not set: this process publishes none of its folders")]
        public static partial void NoDirectory(ILogger logger, string setting);

        [LoggerMessage(402, LogLevel.Error, "A folder of {Setting} is not published; the versions published before stay in use: {Refusal}")]
        public static partial void Refused(ILogger logger, string setting, string refusal);
    }
}
