using System.ComponentModel.DataAnnotations;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Npgsql;

namespace NetAutomation.Persistence;

/// <summary>Connection strings, one per login role.</summary>
internal sealed class DatabaseOptions
{
    /// <summary>Role <c>na_app</c>, held to one tenant by row-level security.</summary>
    [Required]
    public string App { get; set; } = "";

    /// <summary>Connections of the role <c>na_app</c> that this process opens at most.</summary>
    public int MostConnections => new NpgsqlConnectionStringBuilder(App).MaxPoolSize;

    /// <summary>Role <c>na_system</c>.</summary>
    [Required]
    public string System { get; set; } = "";

    /// <summary>The schema's owner; needed by the <c>migrate</c> verb only.</summary>
    public string Owner { get; set; } = "";

    /// <summary>
    /// The longest time of a customer's request in its transaction, in seconds: no statement begins after it. The feeds of all tenants wait
    /// for the oldest transaction that writes.
    /// </summary>
    [Range(1, 600)]
    public int TransactionSeconds { get; set; } = 30;
}

internal static class PersistenceModule
{
    // Statements are few and come again: the server parses and plans each once for a connection. A reset at every use of a connection
    // would discard the plans of functions and foreign keys, and no setting of a session outlives its transaction unless the code takes it
    // back. A fault names its statement in a batch, for the deferred ones. A connection string may override all this.
    private const string Defaults =
        "Max Auto Prepare=200;Auto Prepare Min Usages=2;No Reset On Close=true;Include Failed Batched Command=true;";

    public static void AddPersistence(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddOptions<DatabaseOptions>().BindConfiguration("Database").ValidateDataAnnotations().ValidateOnStart();
        var options = builder.Configuration.GetSection("Database").Get<DatabaseOptions>() ?? new();
        services.AddKeyedSingleton("app", (_, _) => Source(options.App));
        services.AddKeyedSingleton("system", (_, _) => Source(options.System));
        // The options are made only once, not for every request.
        services.AddDbContext<NetAutomationDb>(
            (provider, context) => Configure(context, provider, "app"),
            optionsLifetime: ServiceLifetime.Singleton);
        services.AddDbContext<SystemDb>(
            (provider, context) => Configure(context, provider, "system"),
            optionsLifetime: ServiceLifetime.Singleton);
        services.AddHostedService<SchemaCheck>();
    }

    public static NpgsqlDataSource Source(string connection) => NpgsqlDataSource.Create(Defaults + connection);

    private static void Configure(DbContextOptionsBuilder context, IServiceProvider provider, string role) =>
        context.UseNpgsql(provider.GetRequiredKeyedService<NpgsqlDataSource>(role)).UseSnakeCaseNamingConvention()
            .AddInterceptors(DeferredStatements.Interceptor, new DatabaseBudget.Interceptor(provider.GetService<IHttpContextAccessor>()))
            .UseQueryTrackingBehavior(QueryTrackingBehavior.TrackAll).ConfigureWarnings(warnings => warnings
            // A refused write is often an answer (409); what is not is logged where the request fails.
            .Log((RelationalEventId.CommandError, LogLevel.Debug), (RelationalEventId.TransactionError, LogLevel.Debug),
                (RelationalEventId.ConnectionError, LogLevel.Debug), (CoreEventId.SaveChangesFailed, LogLevel.Debug))
            .Ignore(CoreEventId.ManyServiceProvidersCreatedWarning));

    private sealed class SchemaCheck([FromKeyedServices("system")] NpgsqlDataSource source) : IHostedService
    {
        public async Task StartAsync(CancellationToken cancellationToken)
        {
            if (await Migrations.Mismatch(source, cancellationToken) is { } mismatch)
            {
                throw new InvalidOperationException(mismatch);
            }
        }

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
