using Npgsql;

namespace NetAutomation.Persistence;

/// <summary>
/// Distinguishes a database, or another service that the work needs, that cannot be reached now from a request that it refused.
/// </summary>
internal static class Outage
{
    private static readonly TimeSpan _longest = TimeSpan.FromSeconds(2);

    /// <summary>The same work may succeed a little later. It is not known whether it was committed.</summary>
    public static bool Is(Exception fault) => fault is NpgsqlException { IsTransient: true } or AwayException
        || (fault.InnerException is { } inner && Is(inner));

    /// <summary>
    /// The server is there, and gave up this statement for what others do: a lock was not to be had, or the statement took too long.
    /// </summary>
    public static bool IsContention(Exception fault) => fault is PostgresException
    {
        SqlState: PostgresErrorCodes.LockNotAvailable or PostgresErrorCodes.DeadlockDetected or PostgresErrorCodes.SerializationFailure
                or PostgresErrorCodes.QueryCanceled
    }
        || (fault.InnerException is { } inner && IsContention(inner));

    /// <summary>Tries until what it needs is available; the work must be harmless to repeat.</summary>
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

/// <summary>A service that the work needs beside the database cannot be reached now, or refuses all of its calls.</summary>
internal sealed class AwayException(string message, Exception cause) : Exception(message, cause);
