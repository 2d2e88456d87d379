using System.Collections.Concurrent;
using Microsoft.Extensions.Options;
using NetAutomation.Persistence;
using NetAutomation.Web;
using Npgsql;

namespace NetAutomation.Connections;

/// <summary>
/// Wakes the reconcile loop early; where this process has none, it wakes the loops of other processes. Losing a signal costs time only.
/// </summary>
internal sealed class ReconcileSignal(
    [FromKeyedServices("app")] NpgsqlDataSource database,
    IOptions<ConnectionsOptions> options,
    IConfiguration configuration,
    TimeProvider clock,
    ILogger<ReconcileSignal> log) : Bell("na_reconcile", database, clock, log)
{
    private static readonly TimeSpan _first = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan _longest = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan _anew = TimeSpan.FromHours(1);
    private const int Most = 1000;
    private readonly TimeProvider _clock = clock;
    private readonly bool _reconciles = options.Value.ServiceId.Length > 0 && Roles.Of(configuration).Scheduler;
    private readonly ConcurrentDictionary<string, (long At, TimeSpan Again)> _asked = new(StringComparer.Ordinal);

    protected override bool Listens => _reconciles;

    // A process that reconciles need not wake the others.
    protected override bool Notifies => !_reconciles;

    public void Nudge() => Ring();

    /// <summary>
    /// An endpoint without a binding connected: EC2 may show it by now. Signals more and more rarely, since the endpoint may never get one.
    /// </summary>
    public void Unbound(string endpointId)
    {
        var now = _clock.GetTimestamp();
        var again = _first;
        if (_asked.TryGetValue(endpointId, out var before) && _clock.GetElapsedTime(before.At, now) is var passed && passed < _anew)
        {
            if (passed < before.Again)
            {
                return;
            }

            again = before.Again * 2 < _longest ? before.Again * 2 : _longest;
        }

        if (_asked.Count >= Most)
        {
            _asked.Clear();
        }

        _asked[endpointId] = (now, again);
        Nudge();
    }

    /// <summary>Waits for a signal, or this long. Many signals together make one round.</summary>
    /// <param name="apart">The least time between two rounds.</param>
    public async Task Wait(TimeSpan longest, TimeSpan apart, CancellationToken cancel)
    {
        var begun = _clock.GetTimestamp();
        if (await Wait(longest, cancel) && apart - _clock.GetElapsedTime(begun) is { } rest && rest > TimeSpan.Zero)
        {
            await Task.Delay(rest, _clock, cancel);
        }

        // The next round covers the signals until here.
        await Wait(TimeSpan.Zero, cancel);
    }
}
