using Microsoft.Extensions.Options;
using NetAutomation.Persistence;
using NetAutomation.Web;
using Npgsql;

namespace NetAutomation.Edge;

/// <summary>Answers health checks on every listener. The load balancer asks without an identity.</summary>
internal sealed class Health(
    [FromKeyedServices("system")] NpgsqlDataSource database, IHostApplicationLifetime life, TimeProvider clock, IOptions<CellOptions> cell)
{
    private const string CellHeader = "NetAutomation-Cell";
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(3);

    // Anyone who reaches a listener may ask, so the database is asked at most once a second.
    private readonly Recent<string?> _faults = new(clock, TimeSpan.FromSeconds(1));

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

    /// <summary>The reason why this process is not ready; null where it is.</summary>
    public async Task<string?> Fault() => life switch
    {
        // Listeners are open before a worker knows whether it can make sandboxes.
        { ApplicationStarted.IsCancellationRequested: false } => "This process starts.",
        { ApplicationStopping.IsCancellationRequested: true } => "This process leaves.",
        _ => await _faults.Get("database", Ask, CancellationToken.None),
    };

    private async Task<string?> Ask()
    {
        using var deadline = new CancellationTokenSource(_patience, clock);
        try
        {
            return await Migrations.Mismatch(database, deadline.Token) is null ? null : "schema";
        }
        catch (Exception fault) when (fault is NpgsqlException or OperationCanceledException)
        {
            return "database";
        }
    }
}
