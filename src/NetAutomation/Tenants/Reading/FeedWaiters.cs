using System.Collections.Concurrent;

namespace NetAutomation.Tenants.Reading;

/// <summary>Readers that wait for their tenant's feed in this process; each of them looks into the database again and again.</summary>
internal sealed class FeedWaiters
{
    /// <summary>Of one tenant.</summary>
    public const int Most = 10;

    private readonly ConcurrentDictionary<TenantId, int> _waiting = new();

    /// <summary>A place until it is disposed; null where all are taken.</summary>
    public IDisposable? Enter(TenantId tenant)
    {
        if (_waiting.AddOrUpdate(tenant, 1, (_, now) => now + 1) <= Most)
        {
            return new Place(this, tenant);
        }

        Leave(tenant);
        return null;
    }

    private void Leave(TenantId tenant)
    {
        _waiting.AddOrUpdate(tenant, 0, (_, now) => now - 1);
        _waiting.TryRemove(new(tenant, 0));
    }

    private sealed class Place(FeedWaiters waiters, TenantId tenant) : IDisposable
    {
        public void Dispose() => waiters.Leave(tenant);
    }
}
