using Microsoft.Extensions.Options;
using NetAutomation.Persistence;
using NetAutomation.Web;
using Npgsql;

namespace NetAutomation.Edge;

/// <summary>Health on every listener; the load balancer asks without an identity.</summary>
internal sealed class Health(
    [FromKeyedServices("system")] NpgsqlDataSource database, IHostApplicationLifetime life, TimeProvider time, IOptions<CellOptions> cell)
        : IDisposable
{
    private const string CellHeader = "NetAutomation-Cell";
    private static readonly TimeSpan _fresh = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(3);
    private readonly SemaphoreSlim _asking = new(1);
    private (long At, string? Fault) _last = (0, "The database was not asked yet.");

    private string Cell => cell.Value.Name;

    public static bool IsPath(PathString path) => path.StartsWithSegments("/healthz", StringComparison.Ordinal);

    public static void Map(IEndpointRouteBuilder routes)
    {
        routes.MapGet("/healthz/live", () => Results.Text("live")).WithMetadata(new AnyListener()).ExcludeFromDescription();
        routes.MapGet("/healthz/ready", async (Health health, HttpResponse response) =>
        {
            response.Headers[CellHeader] = health.Cell;
            return await health.Fault() is { } fault
                ? Results.Text(fault, statusCode: StatusCodes.Status503ServiceUnavailable) : Results.Text("ready");
        }).WithMetadata(new AnyListener()).ExcludeFromDescription();
    }

    public void Dispose() => _asking.Dispose();

    /// <summary>What keeps this process from being ready; null when nothing does.</summary>
    public async Task<string?> Fault()
    {
        if (life.ApplicationStopping.IsCancellationRequested)
        {
            return "This process leaves.";
        }

        // Anyone who reaches a listener may ask, so the database is asked at most once a second.
        await _asking.WaitAsync();
        try
        {
            if (_last.At == 0 || time.GetElapsedTime(_last.At) > _fresh)
            {
                using var deadline = new CancellationTokenSource(_patience, time);
                _last = (time.GetTimestamp(), await Ask(deadline.Token));
            }

            return _last.Fault;
        }
        finally
        {
            _asking.Release();
        }
    }

    private async Task<string?> Ask(CancellationToken cancel)
    {
        try
        {
            return await Migrations.Mismatch(database, cancel) is null ? null : "schema";
        }
        catch (Exception fault) when (fault is NpgsqlException or OperationCanceledException)
        {
            return "database";
        }
    }
}
