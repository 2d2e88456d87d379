using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using System.Threading.Channels;
using Microsoft.AspNetCore.Http.Features;
using NetAutomation.Tunnel;
using NetAutomation.Web;

namespace NetAutomation.Connectors.Links;

/// <summary>One attached link: messages to the connector, dials that wait for their stream, streams that are open.</summary>
[SuppressMessage(
    "Design", "CA1001", Justification = "A cancellation source without a timer holds nothing; who closes the link races with its end.")]
[SuppressMessage("Design", "S2930", Justification = "The same.")]
internal sealed class LinkSession(
    ConnectorSessionId id, ConnectorId connector, TenantId tenant, SiteId site, long generation, HttpContext attach, TimeProvider clock)
{
    private const int MaxWaiting = 4096;
    private static readonly TimeSpan _grace = TimeSpan.FromSeconds(2);
    private readonly Channel<ControlMessage> _outbox =
        Channel.CreateBounded<ControlMessage>(new BoundedChannelOptions(MaxWaiting) { SingleReader = true });
    private readonly ConcurrentDictionary<string, PendingDial> _dials = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, TaskCompletionSource> _cuts = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<TunnelStream, byte> _open = new();
    private readonly CancellationTokenSource _closed = new();
    private bool _draining;

    public ConnectorSessionId Id => id;

    public ConnectorId Connector => connector;

    public TenantId Tenant => tenant;

    public SiteId Site => site;

    public long Generation => generation;

    /// <summary>Whose endpoint the link comes through now.</summary>
    public EndpointFeature Endpoint { get; } = attach.Features.GetRequiredFeature<EndpointFeature>();

    public string ConnectionId { get; } = attach.Connection.Id;

    public bool Draining
    {
        get => Volatile.Read(ref _draining);
        private set => Volatile.Write(ref _draining, value);
    }

    public bool IsClosed => _closed.IsCancellationRequested;

    public ICollection<TunnelStream> Open => _open.Keys;

    /// <summary>Dials without an answer, and streams that go on.</summary>
    public IEnumerable<Task> Unfinished =>
        _dials.Values.Select(pending => (Task)pending.Answer.Task).Concat(Open.Select(stream => stream.Finished))
            .Where(task => !task.IsCompleted);

    /// <summary>Runs that had a stream here recently; when the link is lost, nobody can say that those streams are closed.</summary>
    public ConcurrentDictionary<RunId, DateTimeOffset> Runs { get; } = new();

    public int Load => _open.Count + _dials.Count;

    /// <summary>Writes messages to the control stream until the link is closed or lost.</summary>
    public async Task Write(Stream stream, CancellationToken cancel)
    {
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancel, _closed.Token);
        try
        {
            await foreach (var message in _outbox.Reader.ReadAllAsync(both.Token))
            {
                await ControlLines.Write(stream, message, both.Token);
            }
        }
        catch (OperationCanceledException)
        {
            // Treat our own close and a lost connection alike.
        }
        finally
        {
            Close();
        }
    }

    /// <summary>Closes a link that cannot take its messages: its connector would otherwise keep streams that it was told to cut.</summary>
    public void Send(ControlMessage message)
    {
        if (!_outbox.Writer.TryWrite(message))
        {
            Close();
        }
    }

    public async Task<DialResult> Dial(DeviceDial dial, TimeSpan timeout, CancellationToken cancel)
    {
        if (Load >= TunnelProtocol.MaxTunnels)
        {
            return DialResult.Failed(DialCodes.Busy);
        }

        var dialId = Proof.RandomId();
        var pending = new PendingDial(dial);
        _dials[dialId] = pending;
        if (Draining)
        {
            // The link was chosen just before the drain, which does not wait for a dial that it could not see.
            _dials.TryRemove(dialId, out _);
            return DialResult.Failed(DialCodes.NotAttached);
        }

        Send(new Dial(
            dialId, $"{dial.Device}", dial.Host, dial.Port, dial.Run?.ToString(), dial.Fence, dial.Exclusive,
            (int)timeout.TotalMilliseconds));
        if (IsClosed)
        {
            pending.Answer.TrySetResult(DialResult.Failed(DialCodes.NotAttached));
        }

        var wait = timeout + _grace < TunnelProtocol.DialIdLifetime ? timeout + _grace : TunnelProtocol.DialIdLifetime;
        try
        {
            return await pending.Answer.Task.WaitAsync(wait, clock, cancel);
        }
        catch (Exception e) when (e is TimeoutException or OperationCanceledException)
        {
            // The first answer decides: a stream that comes first is handed over, or reset when nobody waits any more.
            if (!pending.Answer.TrySetResult(DialResult.Failed(DialCodes.Timeout)) && (await pending.Answer.Task).Stream is { } stream)
            {
                if (e is TimeoutException)
                {
                    return await pending.Answer.Task;
                }

                stream.Abort();
            }

            cancel.ThrowIfCancellationRequested();
            return await pending.Answer.Task;
        }
        finally
        {
            _dials.TryRemove(dialId, out _);
        }
    }

    /// <summary>The stream of a dial; null when nobody waits for it. Used once.</summary>
    public TunnelStream? Accept(string dialId, HttpContext http)
    {
        if (IsClosed || !_dials.TryGetValue(dialId, out var pending))
        {
            return null;
        }

        // Open before it is no dial any more: a drain sees one or the other.
        var stream = new ServedStream(http, pending.Dial);
        _open[stream] = 0;
        if (!_dials.TryRemove(dialId, out _))
        {
            _open.TryRemove(stream, out _);
            return null;
        }

        Used(pending.Dial);
        if (pending.Answer.TrySetResult(new DialResult(stream, null, null)))
        {
            if (IsClosed)
            {
                stream.Abort();
            }

            return stream;
        }

        _open.TryRemove(stream, out _);
        return null;
    }

    public void Leave(TunnelStream stream)
    {
        Used(stream.Dial);
        _open.TryRemove(stream, out _);
    }

    public bool Fail(string dialId, DialFailure failure)
    {
        var code = DialCodes.IsFromConnector(failure.Code) ? failure.Code : DialCodes.Io;
        return _dials.TryRemove(dialId, out var pending) && pending.Answer.TrySetResult(DialResult.Failed(code, failure.Detail));
    }

    /// <summary>True when the connector has confirmed.</summary>
    public async Task<bool> Cut(string? device, string? run, long belowFence, TimeSpan within, CancellationToken cancel)
    {
        var cutId = Proof.RandomId();
        var confirmed = _cuts[cutId] = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        try
        {
            Send(new Cut(cutId, device, run, belowFence));
            await confirmed.Task.WaitAsync(within, clock, cancel).WaitAsync(_closed.Token);
            return true;
        }
        catch (Exception e) when (e is TimeoutException || (e is OperationCanceledException && !cancel.IsCancellationRequested))
        {
            return false;
        }
        finally
        {
            _cuts.TryRemove(cutId, out _);
        }
    }

    public bool Confirm(string cutId) => _cuts.TryRemove(cutId, out var waiting) && waiting.TrySetResult();

    public void Drain(TimeSpan within)
    {
        Draining = true;
        Send(new Drain((int)within.TotalMilliseconds));
    }

    public void Close()
    {
        _closed.Cancel();
        foreach (var pending in _dials.Values)
        {
            pending.Answer.TrySetResult(DialResult.Failed(DialCodes.LinkLost));
        }

        foreach (var stream in _open.Keys)
        {
            stream.Abort();
        }
    }

    private void Used(DeviceDial dial)
    {
        if (dial.Run is { } run)
        {
            Runs[run] = clock.GetUtcNow();
        }
    }

    private sealed record PendingDial(DeviceDial Dial)
    {
        public TaskCompletionSource<DialResult> Answer { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
