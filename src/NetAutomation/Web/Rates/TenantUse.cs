using NetAutomation.Persistence;

namespace NetAutomation.Web.Rates;

/// <summary>What one tenant has under way in this process.</summary>
/// <param name="requests">What the requests of all tenants hold of the database.</param>
/// <param name="connectors">The same of all their connectors.</param>
internal sealed class TenantUse(RatesOptions limits, DatabaseShare requests, DatabaseShare connectors)
{
    private int _requests;
    private int _streams;
    private int _readers;

    public DatabaseBudget Connections { get; } = Budget(limits, requests);

    /// <summary>Of its connectors, which do not wait for its requests.</summary>
    public DatabaseBudget ConnectorConnections { get; } = Budget(limits, connectors);

    /// <summary>Takes a place; null where all are taken. Dispose when it is over.</summary>
    public IDisposable? Enter(AtATime kind)
    {
        ref var count = ref Count(kind);
        if (Interlocked.Increment(ref count) <= limits.Most(kind))
        {
            return new Place(this, kind);
        }

        Interlocked.Decrement(ref count);
        return null;
    }

    public int Used(AtATime kind) => Volatile.Read(ref Count(kind));

    private static DatabaseBudget Budget(RatesOptions limits, DatabaseShare share) =>
        new(limits.DatabaseConnections, TimeSpan.FromSeconds(limits.ConnectionWaitSeconds), share);

    private ref int Count(AtATime kind)
    {
        switch (kind)
        {
            case AtATime.Requests: return ref _requests;
            case AtATime.Streams: return ref _streams;
            default: return ref _readers;
        }
    }

    private sealed class Place(TenantUse use, AtATime kind) : IDisposable
    {
        private int _left;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _left, 1) == 0)
            {
                Interlocked.Decrement(ref use.Count(kind));
            }
        }
    }
}
