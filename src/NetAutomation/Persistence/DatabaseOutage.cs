using Npgsql;

namespace NetAutomation.Persistence;

/// <summary>Distinguishes a database that cannot be reached now from a statement that it refused.</summary>
internal static class DatabaseOutage
{
    private static readonly TimeSpan _longest = TimeSpan.FromSeconds(2);

    /// <summary>The same work may succeed a little later. It is not known whether it was committed.</summary>
    public static bool Is(Exception fault) => fault is NpgsqlException { IsTransient: true }
        || (fault.InnerException is { } inner && Is(inner));

    /// <summary>Tries until the database is available; the work must be harmless to repeat.</summary>
    public static async Task<T> Retry<T>(Func<Task<T>> work, TimeProvider clock, CancellationToken cancel)
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
