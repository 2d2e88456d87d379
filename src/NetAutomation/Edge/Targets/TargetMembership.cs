using Microsoft.Extensions.Options;
using NetAutomation.Tunnel;
using NetAutomation.Web;

namespace NetAutomation.Edge.Targets;

/// <summary>
/// Puts this process into its target groups when it is ready, and takes it out before anything stops: connections go on until the load
/// balancer no longer uses the process. Refuses to start behind a group that hides through which endpoint a connection came.
/// </summary>
internal sealed partial class TargetMembership(
    TargetGroups groups, Health health, IOptions<TargetsOptions> options, IOptions<EdgeOptions> edge, IHostApplicationLifetime life,
    TimeProvider clock, ILogger<TargetMembership> log)
    : IHostedLifecycleService, IDisposable
{
    private static readonly TimeSpan _pause = TimeSpan.FromSeconds(1);

    // The load balancer's nodes learn of a change one after another.
    private static readonly TimeSpan _propagation = TimeSpan.FromSeconds(2);

    /// <summary>The time for the call that takes the process out, however short the drain.</summary>
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

        try
        {
            groups.OwnAddress(
                System.Net.IPEndPoint.TryParse(edge.Value.Listeners[Listener.Customer], out var bound)
                    ? bound.Address : System.Net.IPAddress.Any);
        }
        catch (System.Net.Sockets.SocketException fault)
        {
            throw new RefusedToStartException(
                $"Targets:Address is needed: the address of this process is not known ({fault.Message}).");
        }
    }

    public Task StartedAsync(CancellationToken cancellationToken)
    {
        _registering = Repeat(Register, fault => Log.NotRegistered(log, fault), _stop.Token);
        return Task.CompletedTask;
    }

    public async Task StoppingAsync(CancellationToken cancellationToken)
    {
        // The process must not be ready any more when it is taken out, even where nobody sent a signal.
        life.StopApplication();
        await _stop.CancelAsync();
        await _registering.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        using var farewell = cancellationToken.Within(Farewell);
        await Task.WhenAll(_own.Select(own => Deregister(own, farewell.Token)));
        using var patience = cancellationToken.Within(TimeSpan.FromSeconds(options.Value.DrainSeconds));
        await Task.WhenAll(
            _own.Select(own => Drain(own, patience.Token))
                .Append(_own.Count == 0 ? Task.CompletedTask : Task.Delay(_propagation, clock, patience.Token)))
            .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public void Dispose() => _stop.Dispose();

    /// <summary>Repeats an attempt until it returns true; false where it is cancelled before that.</summary>
    private async Task<bool> Repeat(Func<CancellationToken, Task<bool>> attempt, Action<Exception> failed, CancellationToken cancel)
    {
        while (!cancel.IsCancellationRequested)
        {
            try
            {
                if (await attempt(cancel))
                {
                    return true;
                }
            }
            catch (Exception fault) when (fault is not RefusedToStartException)
            {
                if (!cancel.IsCancellationRequested)
                {
                    failed(fault);
                }
            }

            await Task.Delay(_pause, clock, cancel).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        return false;
    }

    private async Task Check(Listener listener, string arn, CancellationToken cancel)
    {
        using var patience = cancel.Within(TimeSpan.FromSeconds(options.Value.StartSeconds));
        var last = "no answer";
        var isChecked = await Repeat(
            async stop =>
            {
                foreach (var note in await groups.Check(listener, arn, stop))
                {
                    Log.Noted(log, note);
                }

                return true;
            },
            fault =>
            {
                last = fault.Message;
                Log.Waiting(log, listener, last);
            },
            patience.Token);
        cancel.ThrowIfCancellationRequested();
        if (!isChecked)
        {
            throw new RefusedToStartException(
                $"The target group of Targets:{listener} could not be read from AWS in {options.Value.StartSeconds} s: {last}");
        }
    }

    private async Task<bool> Register(CancellationToken cancel)
    {
        if (await health.Fault() is not null)
        {
            return false;
        }

        // Kept before the first call: AWS may carry out a call whose answer is lost.
        _own = groups.Own();
        foreach (var own in _own)
        {
            await groups.Register(own, cancel);
            Log.Registered(log, own.Target.Id!, own.Target.Port!.Value, own.Group);
        }

        return true;
    }

    private async Task Deregister(OwnTarget own, CancellationToken cancel)
    {
        if (await Repeat(
            async stop =>
            {
                await groups.Deregister(own, stop);
                return true;
            },
            fault => Log.NotDeregistered(log, fault), cancel))
        {
            Log.Deregistered(log, own.Target.Id!, own.Target.Port!.Value, own.Group);
        }
        else
        {
            Log.NotDeregistered(log, new TimeoutException($"AWS did not answer in {Farewell}."));
        }
    }

    private async Task Drain(OwnTarget own, CancellationToken cancel)
    {
        if (await Repeat(
            async stop => !await groups.Serves(own, stop), fault => Log.Waiting(log, own.Group, fault.Message), cancel))
        {
            Log.Drained(log, own.Group);
        }
        else
        {
            Log.StillDraining(log, own.Group, options.Value.DrainSeconds);
        }
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
