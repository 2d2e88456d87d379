using Microsoft.Extensions.Options;
using NetAutomation.Content;
using NetAutomation.Execution.Probe;
using NetAutomation.Execution.Sandbox;
using NetAutomation.Runs;
using NetAutomation.Web;
using NetAutomation.Web.Loops;

namespace NetAutomation.Execution;

internal static class ExecutionModule
{
    // Tests of devices that one worker is at, each of another tenant.
    private const int TestsAtOnce = 2;

    public static void AddExecution(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddOptions<ExecutionOptions>().BindConfiguration(ExecutionOptions.Section).ValidateDataAnnotations().ValidateOnStart();
        services.AddSingleton<SandboxUsers>().AddSingleton<ISandboxLauncher, BubblewrapLauncher>().AddSingleton<TestTurns>();
        services.AddScoped<DeviceTester>().AddScoped<DeviceTestQueue>();
        services.AddSingleton(provider => Engine(provider.GetRequiredService<IOptions<ExecutionOptions>>().Value.AnsibleDirectory));
    }

    private static EngineVersion Engine(string directory)
    {
        var version = typeof(EngineVersion).Assembly.GetName().Version!.ToString(3);
        return new EngineVersion($"{version}+{ContentFolder.Read(directory).Digest["sha256:".Length..][..12]}");
    }

    /// <summary>The worker role: claims runs and executes them, and tests devices.</summary>
    public static void AddWorker(this IHostApplicationBuilder builder)
    {
        builder.Services.AddSingleton<Journals>();
        builder.Services.AddSingleton<RunExecution>();
        builder.Services.AddHostedService<Worker>();
        for (var number = 1; number <= TestsAtOnce; number++)
        {
            var name = $"execution.test-devices-{number}";
            builder.Services.AddLoop(provider =>
            {
                var tests = ActivatorUtilities.CreateInstance<TestLeased>(provider);
                return new Loop(
                    name, TimeSpan.Zero, tests.Run, provider.GetRequiredService<TimeProvider>(), LoopsModule.Log(provider))
                {
                    Wait = tests.Wait,
                };
            });
        }

        // After the drain come the connectors' confirmation, and the end of the links of this process.
        builder.Services.AddOptions<HostOptions>().Configure<IOptions<ExecutionOptions>>((host, execution) =>
            host.ShutdownTimeout += TimeSpan.FromSeconds(execution.Value.DrainSeconds) + TimeSpan.FromSeconds(90));
    }

    /// <summary>The scheduler role: ends and forgets tests of devices.</summary>
    public static void AddExecutionLoops(this IHostApplicationBuilder builder)
    {
        builder.Services.AddOneProcessLoop<DeviceTestQueue>(
            "execution.end-tests", TimeSpan.FromSeconds(30), (queue, cancel) => queue.EndOverdue(cancel));
        builder.Services.AddOneProcessLoop<DeviceTestQueue>(
            "execution.forget-tests", TimeSpan.FromHours(1), (queue, cancel) => queue.Forget(cancel));
    }

    public static void MapExecution(this ApiRoutes routes)
    {
        var group = routes.Customer.MapGroup("").WithTags("Inventory");
        group.MapPost("/devices/{id}:test", TestDevice.Handle).WithName("TestDevice")
            .WithMetadata(new OwnTransaction(), new Refuses(Inventory.Problems.DeviceInUse));
        group.MapPost("/devices:test", TestDevices.Start).WithName("TestDevices").WithMetadata(new Refuses(Web.Problems.LimitReached));
        group.MapGet("/device-tests/{id}", TestDevices.Follow).WithName("GetDeviceTest").WithMetadata(new OwnTransaction());
    }
}
