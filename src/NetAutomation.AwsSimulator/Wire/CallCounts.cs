using System.Collections.Concurrent;

namespace NetAutomation.AwsSimulator.Wire;

/// <summary>How often each operation was called, and how often it was refused.</summary>
internal sealed class CallCounts(Operations offered)
{
    private sealed class Count
    {
        public int Calls;
        public int Refused;
    }

    private readonly ConcurrentDictionary<string, Count> _counts =
        new(offered.Query.Keys.Concat(offered.Json.Keys).Select(name => KeyValuePair.Create(name, new Count())), StringComparer.Ordinal);

    public IReadOnlyList<(string Operation, int Calls, int Refused)> All() =>
        [.. _counts.OrderBy(c => c.Key, StringComparer.Ordinal)
            .Select(c => (c.Key, Volatile.Read(ref c.Value.Calls), Volatile.Read(ref c.Value.Refused)))];

    public async Task<T> CountAsync<T>(string operation, Func<Task<T>> call)
    {
        var count = _counts[operation];
        Interlocked.Increment(ref count.Calls);
        try
        {
            return await call();
        }
        catch (AwsException)
        {
            Interlocked.Increment(ref count.Refused);
            throw;
        }
    }
}
