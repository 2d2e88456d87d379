using System.Collections.Concurrent;

namespace NetAutomation.Web.Rates;

/// <summary>A bucket for each of many, as many as fit. One that is full is as good as a new one, so it can be forgotten.</summary>
internal sealed class TokenBuckets<TKey>(string name, Rate rate, TimeProvider clock)
    where TKey : notnull
{
    private const int Most = 20_000;
    private readonly ConcurrentDictionary<TKey, TokenBucket> _buckets = new();

    /// <summary>The limit's name.</summary>
    public string Name => name;

    public Rate Rate => rate;

    /// <summary>Null where it was not used lately.</summary>
    public TokenBucket? Find(TKey key) => _buckets.GetValueOrDefault(key);

    public TokenBucket Of(TKey key)
    {
        if (_buckets.TryGetValue(key, out var known))
        {
            return known;
        }

        if (_buckets.Count >= Most)
        {
            Forget();
        }

        return _buckets.GetOrAdd(key, _ => new TokenBucket(rate, clock));
    }

    public void Remove(TKey key) => _buckets.TryRemove(key, out _);

    private void Forget()
    {
        foreach (var (key, bucket) in _buckets)
        {
            if (bucket.State.Left >= rate.Burst)
            {
                Remove(key);
            }
        }

        if (_buckets.Count >= Most)
        {
            _buckets.Clear();
        }
    }
}
