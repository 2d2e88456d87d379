using Microsoft.Extensions.Options;
using NetAutomation.Content;
using NetAutomation.Execution.Probe;
using NetAutomation.Execution.Sandbox;
using NetAutomation.Runs;
using NetAutomation.Web;

namespace NetAutomation.Execution;

internal static class ExecutionModule
{
    public static void AddExecution(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddOptions<ExecutionOptions>().BindConfiguration(ExecutionOptions.Section).ValidateDataAnnotations().ValidateOnStart();
        services.AddSingleton<ISandboxLauncher, BubblewrapLauncher>();
        services.AddSingleton(provider => Engine(provider.GetRequiredService<IOptions<ExecutionOptions>>().Value.AnsibleDirectory));
    }

    private static EngineVersion Engine(string directory)
    {
        var version = typeof(EngineVersion).Assembly.GetName().Version!.ToString(3);
        return new EngineVersion($"{version}+{ContentFolder.Read(directory).Digest["sha256:".Length..][..12]}");
    }

    /// <summary>The worker role: claims runs and executes them.</summary>
    public static void AddWorker(this IHostApplicationBuilder builder)
    {
        builder.Services.AddSingleton<Journals>();
        builder.Services.AddSingleton<RunExecution>();
        builder.Services.AddHostedService<Worker>();
        // After the drain come the connectors' confirmation, and the end of the links of this process.
        builder.Services.AddOptions<HostOptions>().Configure<IOptions<ExecutionOptions>>((host, execution) =>
            host.ShutdownTimeout += TimeSpan.FromSeconds(execution.Value.DrainSeconds) + TimeSpan.FromSeconds(90));
    }

    public static void MapExecution(this ApiRoutes routes) => routes.Customer.MapGroup("").WithTags("Inventory")
        .MapPost("/devices/{id}:test", TestDevice.Handle).WithName("TestDevice").WithMetadata(new OwnTransaction());
}
