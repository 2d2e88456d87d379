using NetAutomation.Tunnel;

namespace NetAutomation.Connector;

/// <summary>
/// Every open stream of this connector, over all links: decides who may enter (fence, permit, room) and resets streams
/// whose fence was overtaken, whose run was cut, or whose permit lapsed.
/// </summary>
internal sealed class TunnelTable : IDisposable
{
    private static readonly TimeSpan _sweepEvery = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan _rememberCuts = TimeSpan.FromMinutes(10);
    private readonly FenceFile _fences;
    private readonly TimeProvider _clock;
    private readonly Lock _lock = new();
    private readonly HashSet<OpenTunnel> _open = [];
    private readonly Dictionary<string, (long Fence, DateTimeOffset Until)> _permits = new(StringComparer.Ordinal);
    private readonly Dictionary<string, (long BelowFence, DateTimeOffset At)> _cutRuns = new(StringComparer.Ordinal);
    private readonly ITimer _sweep;
    private bool _shuttingDown;

    public TunnelTable(FenceFile fences, TimeProvider clock)
    {
        _fences = fences;
        _clock = clock;
        _sweep = clock.CreateTimer(_ => Sweep(), null, _sweepEvery, _sweepEvery);
    }

    public int Count
    {
        get
        {
            lock (_lock)
            {
                return _open.Count;
            }
        }
    }

    /// <summary>Admits a dial and raises the fence of an exclusive one; the caller syncs the fence file before it connects.</summary>
    public (OpenTunnel? Tunnel, string Code) Enter(Dial dial, object link, int room)
    {
        List<OpenTunnel> overtaken = [];
        OpenTunnel tunnel;
        lock (_lock)
        {
            if (_shuttingDown)
            {
                return (null, DialCodes.ShuttingDown);
            }

            if (_open.Count(t => t.Link == link) >= room)
            {
                return (null, DialCodes.Busy);
            }

            if (dial.Fence < _fences.Of(dial.Device)
                || (dial.Run is { } run && _cutRuns.TryGetValue(run, out var cut) && dial.Fence < cut.BelowFence))
            {
                return (null, DialCodes.Fenced);
            }

            if (dial.Exclusive && _fences.Raise(dial.Device, dial.Fence))
            {
                overtaken = Below(dial.Device, dial.Fence);
            }

            Extend(dial.Run, dial.Fence, TunnelProtocol.PermitTtl);
            tunnel = new OpenTunnel(dial, link) { OvertakenClosed = Task.WhenAll(overtaken.Select(t => t.Closed)) };
            _open.Add(tunnel);
        }

        overtaken.ForEach(t => t.Abort());
        return (tunnel, "");
    }

    /// <summary>The sweep cuts a lapsed stream within a second; this stops bytes that would arrive earlier.</summary>
    public void ThrowIfLapsed(OpenTunnel tunnel)
    {
        lock (_lock)
        {
            if (IsLapsed(tunnel, _clock.GetUtcNow()))
            {
                throw new IOException("The run's permit has lapsed.");
            }
        }
    }

    public void Leave(OpenTunnel tunnel)
    {
        lock (_lock)
        {
            _open.Remove(tunnel);
        }

        tunnel.Close();
    }

    /// <summary>Returns when no stream the message names is open and the fence is on disk.</summary>
    public async Task Cut(Cut cut)
    {
        List<OpenTunnel> cutOff = [];
        lock (_lock)
        {
            if (cut.Device is { } device)
            {
                _fences.Raise(device, cut.BelowFence);
                cutOff = Below(device, cut.BelowFence);
            }

            if (cut.Run is { } run)
            {
                _cutRuns[run] = (Math.Max(cut.BelowFence, _cutRuns.GetValueOrDefault(run).BelowFence), _clock.GetUtcNow());
                cutOff.AddRange(_open.Where(t => t.Dial.Run == run && t.Dial.Fence < cut.BelowFence));
            }
        }

        await Abort(cutOff);
        await _fences.Flush();
    }

    public async Task Raise(Fences fences)
    {
        List<OpenTunnel> overtaken = [];
        lock (_lock)
        {
            foreach (var (device, fence) in fences.Devices)
            {
                _fences.Raise(device, fence);
                overtaken.AddRange(Below(device, fence));
            }
        }

        await Abort(overtaken);
        await _fences.Flush();
    }

    public void Permit(Permit permit)
    {
        List<OpenTunnel> overtaken;
        lock (_lock)
        {
            Extend(permit.Run, permit.Fence,
                TimeSpan.FromMilliseconds(Math.Clamp(permit.TtlMs, 0, TunnelProtocol.PermitTtl.TotalMilliseconds)));
            overtaken = [.. _open.Where(t => t.Dial.Run == permit.Run && t.Dial.Fence < permit.Fence)];
        }

        overtaken.ForEach(t => t.Abort());
    }

    public Task CutLink(object link)
    {
        lock (_lock)
        {
            return Abort([.. _open.Where(t => t.Link == link)]);
        }
    }

    /// <summary>Refuses new streams; returns when the open ones have ended.</summary>
    public Task Drain()
    {
        lock (_lock)
        {
            _shuttingDown = true;
            return Task.WhenAll(_open.Select(t => t.Closed));
        }
    }

    public void Dispose() => _sweep.Dispose();

    private static Task Abort(List<OpenTunnel> tunnels)
    {
        tunnels.ForEach(t => t.Abort());
        return Task.WhenAll(tunnels.Select(t => t.Closed));
    }

    private void Extend(string? run, long fence, TimeSpan ttl)
    {
        if (run is not null && fence >= _permits.GetValueOrDefault(run).Fence)
        {
            _permits[run] = (fence, _clock.GetUtcNow() + ttl);
        }
    }

    private List<OpenTunnel> Below(string device, long fence) => [.. _open.Where(t => t.Dial.Device == device && t.Dial.Fence < fence)];

    private bool IsLapsed(OpenTunnel tunnel, DateTimeOffset now) => tunnel.Dial.Run is { } run
        && _permits.GetValueOrDefault(run).Until <= now;

    private void Sweep()
    {
        List<OpenTunnel> lapsed;
        lock (_lock)
        {
            var now = _clock.GetUtcNow();
            lapsed = [.. _open.Where(t => IsLapsed(t, now))];
            foreach (var run in _permits.Where(p => p.Value.Until <= now).Select(p => p.Key).ToList())
            {
                _permits.Remove(run);
            }

            foreach (var run in _cutRuns.Where(c => c.Value.At + _rememberCuts <= now).Select(c => c.Key).ToList())
            {
                _cutRuns.Remove(run);
            }
        }

        lapsed.ForEach(t => t.Abort());
    }
}
