using System.Collections.Concurrent;
using System.Diagnostics;
using Microsoft.Extensions.Options;
using NetAutomation.Execution.Sandbox;
using NetAutomation.Persistence;
using NetAutomation.Platforms;
using NetAutomation.Runs;
using NetAutomation.Web.Telemetry;

namespace NetAutomation.Execution;

/// <summary>
/// Claims runs while it has room and executes each by itself. When it stops, it claims no more and lets its runs go on for a while. Refuses
/// to start where nothing can be isolated.
/// </summary>
internal sealed partial class Worker(
    Journals journals, RunExecution execution, PlatformCatalog platforms, ISandboxLauncher launcher, SandboxUsers users, RunSignals signals,
    RunMetrics metrics, IOptions<ExecutionOptions> options, TimeProvider clock, ILogger<Worker> log) : BackgroundService
{
    private static readonly TimeSpan _poll = TimeSpan.FromMilliseconds(500);
    private readonly string _name = $"{Environment.MachineName}-{Guid.CreateVersion7():n}";
    private readonly SemaphoreSlim _room = new(options.Value.Concurrency);
    private readonly ConcurrentDictionary<Task, byte> _runs = new();
    private readonly CancellationTokenSource _stop = new();

    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        if (await SandboxProbe.Check(options.Value, users, cancellationToken) is { Count: > 0 } faults)
        {
            throw new InvalidOperationException($"This worker cannot isolate runs: {string.Join(" ", faults)}");
        }

        var groups = ControlGroups.Own;
        Log.Bounded(log, string.Join(", ", groups.Controllers), groups.Missing() is { } missing ? $"; not bounded: {missing}" : "");
        Log.Users(log, users.Ids);
        await base.StartAsync(cancellationToken);
    }

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        var ended = Task.WhenAll(_runs.Keys);
        Log.Draining(log, _runs.Count, options.Value.DrainSeconds);
        await ended.WaitAsync(TimeSpan.FromSeconds(options.Value.DrainSeconds), clock, cancellationToken)
            .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _stop.CancelAsync();
        await ended.WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    public override void Dispose()
    {
        _room.Dispose();
        _stop.Dispose();
        base.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        launcher.KeepReady(
            await journals.RetryUntilAvailable<NetAutomationDb, IReadOnlyList<string>>(db => platforms.Newest(db, stoppingToken)));
        while (!stoppingToken.IsCancellationRequested && !signals.Leaving)
        {
            await _room.WaitAsync(stoppingToken);
            var (work, run) = (signals.Work, (ClaimedRun?)null);
            try
            {
                // Not cancelled half-way: a claim whose answer is lost holds its devices until the lease ends.
                run = await journals.Claim(_name, last: _room.CurrentCount == 0);
            }
            catch (Exception fault) when (Outage.Is(fault))
            {
                Log.DatabaseAway(log, fault.Message);
            }
            catch (Exception fault)
            {
                Log.ClaimFailed(log, fault);
            }

            if (run is null)
            {
                _room.Release();
                await signals.Wait(work, _poll, clock, stoppingToken);
                continue;
            }

            metrics.Claimed(run.Block, run.Attempt > 1);
            var executing = Execute(run);
            _runs.TryAdd(executing, 0);
            _ = executing.ContinueWith(
                done => _runs.TryRemove(done, out _), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously,
                TaskScheduler.Default);
        }
    }

    private async Task Execute(ClaimedRun run)
    {
        using var claim = Spans.StartIn(run.TraceParent, "claim", ActivityKind.Consumer);
        try
        {
            await execution.Execute(run, _stop.Token);
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

        [LoggerMessage(809, LogLevel.Warning, "Nothing can be claimed while the database is away: {Fault}")]
        public static partial void DatabaseAway(ILogger logger, string fault);

        [LoggerMessage(802, LogLevel.Error, "Executing run {Run} failed")]
        public static partial void RunFailed(ILogger logger, Exception exception, RunId run);

        [LoggerMessage(812, LogLevel.Information, "Each sandbox is bounded by itself in: {Bounded}{Missing}")]
        public static partial void Bounded(ILogger logger, string bounded, string missing);

        [LoggerMessage(815, LogLevel.Information, "User ids of sandboxes: {Ids}")]
        public static partial void Users(ILogger logger, string ids);

        [LoggerMessage(808, LogLevel.Information, "The worker stops: {Runs} runs may go on for {Seconds} s")]
        public static partial void Draining(ILogger logger, int runs, int seconds);
    }
}
