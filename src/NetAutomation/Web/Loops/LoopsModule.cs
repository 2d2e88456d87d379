using NetAutomation.Web.Telemetry;
using Quartz;

namespace NetAutomation.Web.Loops;

/// <summary>How modules add their loops. Every run has a scope of its own.</summary>
internal static class LoopsModule
{
    /// <summary>A loop of every process that calls this.</summary>
    public static void AddLoop<T>(
        this IServiceCollection services, string name, TimeSpan interval, Func<T, CancellationToken, Task> work, bool oneProcess = false)
        where T : class => services.AddLoop(provider =>
            new Loop(name, interval, provider.Scoped(work), provider.GetRequiredService<TimeProvider>(), Log(provider))
            {
                OneProcess = oneProcess
            });

    public static void AddLoop(this IServiceCollection services, Func<IServiceProvider, Loop> make) => services.AddSingleton(make);

    /// <summary>A loop that one process of all runs at a time: another takes over where that one ends.</summary>
    public static void AddOneProcessLoop<T>(
        this IServiceCollection services, string name, TimeSpan interval, Func<T, CancellationToken, Task> work)
        where T : class
    {
        services.AddLoop(name, interval, work, oneProcess: true);
        services.AddQuartz(quartz => quartz.ScheduleJob<LoopJob>(
            trigger =>
                trigger.WithIdentity(name).StartNow().WithSchedule(SimpleScheduleBuilder.Create().WithInterval(interval).RepeatForever()),
            job => job.WithIdentity(name)));
    }

    /// <summary>Call after the modules: the host stops services in the reverse order.</summary>
    public static void AddLoops(this IHostApplicationBuilder builder)
    {
        builder.Services.AddSingleton<LoopRegistry>().AddHostedService<LoopHost>();
        builder.Services.AddInstruments<LoopMetrics>();
        if (!Roles.Of(builder.Configuration).Scheduler)
        {
            return;
        }

        // Its tables are of a migration.
        var database = builder.Configuration["Database:System"] ?? "";
        builder.Services.AddQuartz(quartz =>
        {
            quartz.ConfigureScheduler(scheduler => scheduler.InstanceName = "netautomation");
            quartz.UsePersistentStore(store =>
            {
                store.UsePostgres(database);
                store.ConfigureStore(options => options.TablePrefix = "quartz.qrtz_");
                store.UseSystemTextJsonSerializer();
                // Gives each process an id of its own, unless one is set.
                store.UseClustering();
            });
        });
        builder.Services.AddQuartzHostedService(options => options.WaitForJobsToComplete = true);
    }

    public static ILogger Log(IServiceProvider provider) => provider.GetRequiredService<ILogger<Loop>>();

    private static Func<CancellationToken, Task> Scoped<T>(this IServiceProvider provider, Func<T, CancellationToken, Task> work)
        where T : class => async cancel =>
    {
        await using var scope = provider.GetRequiredService<IServiceScopeFactory>().CreateAsyncScope();
        await work(ActivatorUtilities.GetServiceOrCreateInstance<T>(scope.ServiceProvider), cancel);
    };

    [DisallowConcurrentExecution]
    private sealed class LoopJob(LoopRegistry loops) : IJob
    {
        public async ValueTask Execute(IJobExecutionContext context, CancellationToken cancellationToken = default) =>
            await loops[context.JobDetail.Key.Name].RunOnce(cancellationToken);
    }
}
