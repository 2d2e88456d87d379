using System.Collections.Concurrent;

namespace NetAutomation.Onboarding.Connections;

/// <summary>Wakes the reconcile loop early. Losing a signal costs time only.</summary>
internal sealed class ReconcileSignal(TimeProvider time) : IDisposable
{
    private static readonly TimeSpan _again = TimeSpan.FromSeconds(30);
    private const int Most = 1000;
    private readonly SemaphoreSlim _waiting = new(0, 1);
    private readonly ConcurrentDictionary<string, long> _asked = new(StringComparer.Ordinal);

    public void Nudge()
    {
        try
        {
            _waiting.Release();
        }
        catch (SemaphoreFullException)
        {
            // Already awake.
        }
    }

    /// <summary>An endpoint without a binding connected: EC2 may know more by now. Asked for once in a while per endpoint.</summary>
    public void Unbound(string endpointId)
    {
        var now = time.GetTimestamp();
        if (_asked.TryGetValue(endpointId, out var before) && time.GetElapsedTime(before, now) < _again)
        {
            return;
        }

        if (_asked.Count >= Most)
        {
            _asked.Clear();
        }

        _asked[endpointId] = now;
        Nudge();
    }

    public void Dispose() => _waiting.Dispose();

    /// <summary>Until a signal, or this long; a storm of signals makes one round at a time.</summary>
    /// <param name="apart">Least time between two rounds.</param>
    public async Task Wait(TimeSpan longest, TimeSpan apart, CancellationToken cancel)
    {
        var begun = time.GetTimestamp();
        if (await _waiting.WaitAsync(longest, cancel) && apart - time.GetElapsedTime(begun) is { } rest && rest > TimeSpan.Zero)
        {
            await Task.Delay(rest, time, cancel);
        }

        // What was signalled until here, the next round sees.
        await _waiting.WaitAsync(TimeSpan.Zero, cancel);
    }
}
