using System.Collections.Concurrent;
using NetAutomation.Tunnel;

namespace NetAutomation.Connectors.Links;

/// <summary>The links attached to this process.</summary>
internal sealed class LinkHub(TimeProvider clock)
{
    private const int MaxLinksPerConnector = 8;

    /// <summary>
    /// After this time the connector has noticed the dead link (PING 15 s + 15 s) and reset its streams, or the permit has lapsed.
    /// </summary>
    public static readonly TimeSpan CertainAfter = TunnelProtocol.PingDelay + TunnelProtocol.PingTimeout + TimeSpan.FromSeconds(10);
    private readonly ConcurrentDictionary<string, LinkSession> _byConnection = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<RunId, DateTimeOffset> _lost = new();

    public bool Draining { get; private set; }

    public ICollection<LinkSession> All => _byConnection.Values;

    /// <summary>False where the connection already carries a link, or the connector has too many.</summary>
    public bool Add(LinkSession link) =>
        !Draining && All.Count(l => l.Connector == link.Connector && !l.IsClosed) < MaxLinksPerConnector
            && _byConnection.TryAdd(link.ConnectionId, link);

    public void Remove(LinkSession link)
    {
        foreach (var run in link.Runs.Keys)
        {
            _lost[run] = clock.GetUtcNow();
        }

        link.Close();
        _byConnection.TryRemove(KeyValuePair.Create(link.ConnectionId, link));
    }

    public LinkSession? On(string connectionId) => _byConnection.GetValueOrDefault(connectionId);

    /// <summary>Links of the site that take dials, the least loaded first.</summary>
    public List<LinkSession> Serving(TenantId tenant, SiteId site) =>
        [.. All.Where(l => l.Tenant == tenant && l.Site == site && !l.Draining && !l.IsClosed).OrderBy(l => l.Load)];

    /// <summary>Tells the other links of the site of a fence that may be a raised one.</summary>
    public void TellFence(DeviceDial dial, LinkSession? except = null)
    {
        foreach (var link in All.Where(l => l.Tenant == dial.Tenant && l.Site == dial.Site && l != except))
        {
            link.Send(new Fences([new DeviceFence($"{dial.Device}", dial.Fence)]));
        }
    }

    public void Permit(TenantId tenant, RunId run, long fence)
    {
        foreach (var link in All.Where(l => l.Tenant == tenant))
        {
            link.Send(new Permit($"{run}", fence, (int)TunnelProtocol.PermitTtl.TotalMilliseconds));
        }
    }

    public async Task<bool> ConfirmNoStreams(TenantId tenant, RunId run, long fence, TimeSpan within, CancellationToken cancel)
    {
        var links = All.Where(l => l.Tenant == tenant).ToList();
        foreach (var stream in links.SelectMany(l => l.Open).Where(s => s.Dial.Run == run && s.Dial.Fence <= fence))
        {
            stream.Abort();
        }

        var confirmed = await Task.WhenAll(links.Select(l => l.Cut(null, $"{run}", fence + 1, within, cancel)));
        return confirmed.All(c => c) && (!_lost.TryGetValue(run, out var at) || clock.GetUtcNow() >= at + CertainAfter);
    }

    public void Cut(ConnectorId connector) => Supersede(connector, long.MaxValue);

    /// <summary>Ends the links of earlier generations: their process is gone, or is not the connector.</summary>
    public void Supersede(ConnectorId connector, long generation)
    {
        foreach (var link in All.Where(l => l.Connector == connector && l.Generation < generation))
        {
            link.Close();
        }
    }

    /// <summary>Sends every link elsewhere and waits for the streams to end by themselves until cancelled.</summary>
    public async Task Drain(TimeSpan within, CancellationToken cancel)
    {
        Draining = true;
        foreach (var link in All)
        {
            link.Drain(within);
        }

        // Again and again, since a dial that was under way may have become a stream meanwhile.
        var begun = clock.GetTimestamp();
        while (All.SelectMany(link => link.Unfinished).ToList() is { Count: > 0 } unfinished
            && within - clock.GetElapsedTime(begun) is var left && left > TimeSpan.Zero && !cancel.IsCancellationRequested)
        {
            await Task.WhenAll(unfinished).WaitAsync(left, clock, cancel).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        foreach (var link in All)
        {
            link.Close();
        }
    }

    /// <summary>Forgets lost links and runs whose streams are certainly closed.</summary>
    public void Sweep()
    {
        var now = clock.GetUtcNow();
        foreach (var run in _lost.Where(l => now >= l.Value + CertainAfter).Select(l => l.Key).ToList())
        {
            _lost.TryRemove(run, out _);
        }

        foreach (var link in All)
        {
            foreach (
                var run in link.Runs.Where(r => now >= r.Value + CertainAfter && !link.Open.Any(s => s.Dial.Run == r.Key))
                    .Select(r => r.Key).ToList())
            {
                link.Runs.TryRemove(run, out _);
            }
        }
    }
}
