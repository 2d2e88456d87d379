using Amazon.ElasticLoadBalancingV2.Model;
using Microsoft.Extensions.Options;
using NetAutomation.Web;

namespace NetAutomation.Edge.Targets;

/// <summary>
/// Puts this process into its target groups once it is ready, and takes it out before anything is stopped: what is under way goes on until
/// the load balancer has let go. Refuses to start behind a group that hides from where connections come.
/// </summary>
internal sealed partial class TargetMembership(
    TargetGroups groups, Health health, IOptions<TargetsOptions> options, IOptions<EdgeOptions> edge, IHostApplicationLifetime life,
    TimeProvider time, ILogger<TargetMembership> log)
    : IHostedLifecycleService, IDisposable
{
    private static readonly TimeSpan _pause = TimeSpan.FromSeconds(1);

    // The load balancer's nodes hear of it one after another.
    private static readonly TimeSpan _heard = TimeSpan.FromSeconds(2);

    /// <summary>For the call that takes the process out, however short the drain.</summary>
    public static readonly TimeSpan Farewell = TimeSpan.FromSeconds(10);
    private readonly CancellationTokenSource _stop = new();
    private List<OwnTarget> _own = [];
    private Task _registering = Task.CompletedTask;

    public async Task StartingAsync(CancellationToken cancellationToken)
    {
        foreach (var (listener, arn) in options.Value.Groups())
        {
            await Check(listener, arn, cancellationToken);
        }

        if (options.Value.Groups().Any())
        {
            try
            {
                groups.OwnAddress(
                    System.Net.IPEndPoint.TryParse(edge.Value.Listeners.Customer, out var bound)
                        ? bound.Address : System.Net.IPAddress.Any);
            }
            catch (System.Net.Sockets.SocketException fault)
            {
                throw new RefusedToStartException(
                    $"Targets:Address is needed: the address of this process is not known ({fault.Message}).");
            }
        }
    }

    public Task StartedAsync(CancellationToken cancellationToken)
    {
        _registering = Register(_stop.Token);
        return Task.CompletedTask;
    }

    public async Task StoppingAsync(CancellationToken cancellationToken)
    {
        // Readiness ends before the process is taken out, also where nobody sent a signal.
        life.StopApplication();
        await _stop.CancelAsync();
        await _registering.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        using var farewell = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        farewell.CancelAfter(Farewell);
        await Task.WhenAll(_own.Select(own => Deregister(own, farewell.Token)));
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(TimeSpan.FromSeconds(options.Value.DrainSeconds));
        await Task.WhenAll(
            _own.Select(own => Drained(own, patience.Token))
                .Append(_own.Count == 0 ? Task.CompletedTask : Task.Delay(_heard, time, patience.Token)))
            .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public void Dispose() => _stop.Dispose();

    private async Task Check(Listener listener, string arn, CancellationToken cancel)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(options.Value.StartSeconds), time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancel, patience.Token);
        var last = "no answer";
        while (true)
        {
            try
            {
                foreach (var note in await groups.Check(listener, arn, either.Token))
                {
                    Log.Noted(log, note);
                }

                return;
            }
            catch (TargetGroupNotFoundException)
            {
                throw new RefusedToStartException($"Targets:{listener} names '{arn}', and there is no such target group.");
            }
            catch (Exception fault) when (fault is not RefusedToStartException && !either.IsCancellationRequested)
            {
                last = fault.Message;
                Log.Waiting(log, listener, last);
                await Task.Delay(_pause, time, either.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
            catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
            {
                throw new RefusedToStartException(
                    $"The target group of Targets:{listener} could not be read from AWS in {options.Value.StartSeconds} s: {last}");
            }
        }
    }

    private async Task Register(CancellationToken stop)
    {
        while (!stop.IsCancellationRequested && options.Value.Groups().Any())
        {
            try
            {
                if (await health.Fault() is null)
                {
                    // Kept before the first call: one whose answer is lost may have been done.
                    _own = groups.Own();
                    foreach (var own in _own)
                    {
                        await groups.Register(own, stop);
                        Log.Registered(log, own.Target.Id!, own.Target.Port!.Value, own.Group);
                    }

                    return;
                }
            }
            catch (Exception fault) when (!stop.IsCancellationRequested)
            {
                Log.NotRegistered(log, fault);
            }

            await Task.Delay(_pause, time, stop);
        }
    }

    private async Task Deregister(OwnTarget own, CancellationToken cancel)
    {
        while (!cancel.IsCancellationRequested)
        {
            try
            {
                await groups.Deregister(own, cancel);
                Log.Deregistered(log, own.Target.Id!, own.Target.Port!.Value, own.Group);
                return;
            }
            catch (Exception fault)
            {
                Log.NotDeregistered(log, fault);
                await Task.Delay(_pause, time, cancel).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private async Task Drained(OwnTarget own, CancellationToken cancel)
    {
        while (!cancel.IsCancellationRequested)
        {
            try
            {
                if (!await groups.Serves(own, cancel))
                {
                    Log.Drained(log, own.Group);
                    return;
                }
            }
            catch (Exception fault) when (!cancel.IsCancellationRequested)
            {
                Log.Waiting(log, own.Group, fault.Message);
            }
            catch (OperationCanceledException)
            {
                break;
            }

            await Task.Delay(_pause, time, cancel).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        Log.StillDraining(log, own.Group, options.Value.DrainSeconds);
    }

    private static partial class Log
    {
        [LoggerMessage(211, LogLevel.Information, "Registered {Id}:{Port} in {Group}")]
        public static partial void Registered(ILogger logger, string id, int port, string group);

        [LoggerMessage(212, LogLevel.Warning, "This process could not be registered yet")]
        public static partial void NotRegistered(ILogger logger, Exception exception);

        [LoggerMessage(213, LogLevel.Information, "Taken out {Id}:{Port} of {Group}; connections go on until it is drained")]
        public static partial void Deregistered(ILogger logger, string id, int port, string group);

        [LoggerMessage(214, LogLevel.Warning, "This process could not be taken out yet")]
        public static partial void NotDeregistered(ILogger logger, Exception exception);

        [LoggerMessage(215, LogLevel.Information, "Drained in {Group}")]
        public static partial void Drained(ILogger logger, string group);

        [LoggerMessage(216, LogLevel.Warning, "Still draining in {Group} after {Seconds} s (Targets:DrainSeconds)")]
        public static partial void StillDraining(ILogger logger, string group, int seconds);

        [LoggerMessage(217, LogLevel.Warning, "{Note}")]
        public static partial void Noted(ILogger logger, string note);

        [LoggerMessage(218, LogLevel.Warning, "AWS does not answer about the target group of {Group}: {Reason}")]
        public static partial void Waiting(ILogger logger, object group, string reason);
    }
}
