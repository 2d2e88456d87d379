using Npgsql;

namespace NetAutomation.Persistence;

/// <summary>Tells a database that cannot be reached just now from a statement it refused.</summary>
internal static class DatabaseAway
{
    private static readonly TimeSpan _longest = TimeSpan.FromSeconds(2);

    /// <summary>The same may succeed a little later. Whether it was committed is not known.</summary>
    public static bool Is(Exception fault) => fault is NpgsqlException { IsTransient: true }
        || (fault.InnerException is { } inner && Is(inner));

    /// <summary>Tries until the database is there; the work must be harmless to repeat.</summary>
    public static async Task<T> Outlast<T>(Func<Task<T>> work, TimeProvider clock, CancellationToken cancel)
    {
        var wait = TimeSpan.FromMilliseconds(100);
        while (true)
        {
            try
            {
                return await work();
            }
            catch (Exception fault) when (Is(fault))
            {
                await Task.Delay(wait, clock, cancel);
                wait = wait * 2 < _longest ? wait * 2 : _longest;
            }
        }
    }
}
