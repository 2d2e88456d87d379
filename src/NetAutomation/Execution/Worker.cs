using Microsoft.Extensions.Options;
using NetAutomation.Execution.Sandbox;
using NetAutomation.Runs;

namespace NetAutomation.Execution;

/// <summary>Claims runs while it has room and executes each in a scope of its own. Refuses to start where nothing can be isolated.</summary>
internal sealed partial class Worker(
    IServiceScopeFactory scopes, RunSignals signals, IOptions<ExecutionOptions> options, TimeProvider clock, ILogger<Worker> log) : BackgroundService
{
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(500);
    private readonly string _name = $"{Environment.MachineName}-{Guid.CreateVersion7():n}";
    private readonly SemaphoreSlim _room = new(options.Value.Concurrency);

    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        if (await SandboxProbe.Check(options.Value, cancellationToken) is { Count: > 0 } faults)
        {
            throw new InvalidOperationException($"This worker cannot isolate runs: {string.Join(" ", faults)}");
        }

        await base.StartAsync(cancellationToken);
    }

    public override void Dispose()
    {
        _room.Dispose();
        base.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            await _room.WaitAsync(stoppingToken);
            var taken = false;
            try
            {
                taken = await ClaimOne(stoppingToken);
            }
            catch (Exception fault) when (fault is not OperationCanceledException)
            {
                Log.ClaimFailed(log, fault);
            }
            finally
            {
                if (!taken)
                {
                    _room.Release();
                }
            }

            if (!taken)
            {
                await signals.Work(Poll, clock, stoppingToken);
            }
        }
    }

    private async Task<bool> ClaimOne(CancellationToken cancel)
    {
        var scope = scopes.CreateAsyncScope();
        var run = await scope.ServiceProvider.GetRequiredService<RunQueue>().Claim(_name, cancel);
        if (run is null)
        {
            await scope.DisposeAsync();
            return false;
        }

        // Not awaited: the loop goes on to the next run. The execution handles its own faults.
        _ = Execute(scope, run);
        return true;
    }

    private async Task Execute(AsyncServiceScope scope, ClaimedRun run)
    {
        try
        {
            await using (scope)
            {
                await scope.ServiceProvider.GetRequiredService<RunExecution>().Execute(run);
            }
        }
        catch (Exception fault)
        {
            Log.RunFailed(log, fault, run.Id);
        }
        finally
        {
            _room.Release();
        }
    }

    private static partial class Log
    {
        [LoggerMessage(801, LogLevel.Error, "Claiming a run failed")]
        public static partial void ClaimFailed(ILogger logger, Exception exception);

        [LoggerMessage(802, LogLevel.Error, "Executing run {Run} failed")]
        public static partial void RunFailed(ILogger logger, Exception exception, RunId run);
    }
}
