namespace NetAutomation.Connector;

/// <summary>Keeps a number of links attached: back-off 0.2 s doubling to 30 s with jitter, reset once attached.</summary>
internal sealed class Links(Func<Link> create, ConnectorLog log, TimeProvider clock)
{
    private static readonly TimeSpan _first = TimeSpan.FromSeconds(0.2);
    private static readonly TimeSpan _longest = TimeSpan.FromSeconds(30);

    public Task Run(int count, CancellationToken cancel) => Task.WhenAll(Enumerable.Range(0, count).Select(_ => Keep(cancel)));

    private async Task Keep(CancellationToken cancel)
    {
        var backOff = _first;
        var leaving = new List<Task>();
        while (!cancel.IsCancellationRequested)
        {
            var link = create();
            var run = Serve(link, cancel);
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
            if (run.IsCompleted && await run is { } retryAfter && retryAfter > wait)
            {
                wait = retryAfter < _longest ? retryAfter : _longest;
            }

            if (run.IsCompleted)
            {
                await Task.Delay(wait, clock, cancel).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                backOff = backOff * 2 < _longest ? backOff * 2 : _longest;
            }
        }

        await Task.WhenAll(leaving);
    }

    /// <summary>The pause before the next attempt, where the service asked for one.</summary>
    private async Task<TimeSpan?> Serve(Link link, CancellationToken cancel)
    {
        using (link)
        {
            try
            {
                await link.Run(cancel);
                log.Info("detached: the service ended the link");
            }
            catch (Exception) when (cancel.IsCancellationRequested)
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
                log.Warn($"{(link.Attached.IsCompleted ? "link lost" : "not attached")}: {ConnectorLog.Explain(e)}");
            }

            return null;
        }
    }
}
