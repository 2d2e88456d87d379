using NetAutomation.Web.Telemetry;

namespace NetAutomation.Web.Loops;

/// <summary>How modules add their loops. Every run has a scope of its own.</summary>
internal static class LoopsModule
{
    /// <summary>A loop of every process that calls this.</summary>
    public static void AddLoop<T>(this IServiceCollection services, string name, TimeSpan interval, Func<T, CancellationToken, Task> work)
        where T : class => services.AddLoop(provider => provider.Loop(name, interval, work));

    public static void AddLoop(this IServiceCollection services, Func<IServiceProvider, Loop> make) => services.AddSingleton(make);

    /// <summary>A loop of the process that leads (<see cref="Leadership"/>).</summary>
    public static void AddOneProcessLoop<T>(
        this IServiceCollection services, string name, TimeSpan interval, Func<T, CancellationToken, Task> work)
        where T : class =>
        services.AddLoop(provider => provider.Loop(name, interval, work, provider.GetRequiredService<Leadership>().Wait));

    /// <summary>Call after the modules: the host stops services in the reverse order.</summary>
    public static void AddLoops(this IHostApplicationBuilder builder)
    {
        builder.Services.AddSingleton<LoopRegistry>().AddHostedService<LoopHost>();
        builder.Services.AddInstruments<LoopMetrics>();
        if (Roles.Of(builder.Configuration).Scheduler)
        {
            builder.Services.AddSingleton<Leadership>();
            builder.Services.AddLoop<Leadership>("web.lead", Leadership.Interval, (leadership, cancel) => leadership.Renew(cancel));
        }
    }

    public static ILogger Log(IServiceProvider provider) => provider.GetRequiredService<ILogger<Loop>>();

    private static Loop Loop<T>(
        this IServiceProvider provider, string name, TimeSpan interval, Func<T, CancellationToken, Task> work,
        Func<CancellationToken, Task>? turn = null)
        where T : class =>
        new(name, interval, provider.Scoped(work), provider.GetRequiredService<TimeProvider>(), Log(provider)) { Turn = turn };

    private static Func<CancellationToken, Task> Scoped<T>(this IServiceProvider provider, Func<T, CancellationToken, Task> work)
        where T : class => async cancel =>
    {
        await using var scope = provider.GetRequiredService<IServiceScopeFactory>().CreateAsyncScope();
        await work(ActivatorUtilities.GetServiceOrCreateInstance<T>(scope.ServiceProvider), cancel);
    };
}
