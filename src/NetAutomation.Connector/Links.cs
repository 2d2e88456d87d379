namespace NetAutomation.Connector;

/// <summary>Keeps a number of links attached: back-off 0.2 s doubling to 30 s with jitter, started anew by a hello.</summary>
internal sealed class Links(Func<Link> create, ConnectorLog log, TimeProvider time)
{
    private static readonly TimeSpan _first = TimeSpan.FromSeconds(0.2);
    private static readonly TimeSpan _longest = TimeSpan.FromSeconds(30);

    public Task Run(int count, CancellationToken stop) => Task.WhenAll(Enumerable.Range(0, count).Select(_ => Keep(stop)));

    private async Task Keep(CancellationToken stop)
    {
        var backOff = _first;
        var leaving = new List<Task>();
        while (!stop.IsCancellationRequested)
        {
            var link = create();
            var run = Serve(link, stop);
            await Task.WhenAny(run, link.Draining);
            if (link.Attached.IsCompleted)
            {
                backOff = _first;
            }

            if (!run.IsCompleted)
            {
                leaving.RemoveAll(t => t.IsCompleted);
                leaving.Add(run);
            }

            var wait = backOff * (0.5 + (Random.Shared.NextDouble() / 2));
            if (run.IsCompleted && await run is { } asked && asked > wait)
            {
                wait = asked < _longest ? asked : _longest;
            }

            if (run.IsCompleted)
            {
                await Task.Delay(wait, time, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                backOff = backOff * 2 < _longest ? backOff * 2 : _longest;
            }
        }

        await Task.WhenAll(leaving);
    }

    /// <summary>How long the service asked to stay away, if it did.</summary>
    private async Task<TimeSpan?> Serve(Link link, CancellationToken stop)
    {
        using (link)
        {
            try
            {
                await link.Run(stop);
                log.Info("detached: the service ended the link");
            }
            catch (Exception) when (stop.IsCancellationRequested)
            {
                log.Info("detached");
            }
            catch (RefusedException e)
            {
                log.Warn($"not attached: {e.Message}");
                return e.RetryAfter;
            }
            catch (Exception e)
            {
                log.Warn($"{(link.Attached.IsCompleted ? "link lost" : "not attached")}: {e.Message}{(e.InnerException is { } inner ? $" ({inner.Message})" : "")}");
            }

            return null;
        }
    }
}
