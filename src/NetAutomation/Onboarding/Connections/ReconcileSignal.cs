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

    public Task Wait(TimeSpan longest, CancellationToken cancel) => _waiting.WaitAsync(longest, cancel);
}
