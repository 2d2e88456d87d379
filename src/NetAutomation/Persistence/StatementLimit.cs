using Npgsql;

namespace NetAutomation.Persistence;

/// <summary>How long a statement of a request may take, and wait for a lock; the roles' settings say it to the database.</summary>
internal static class StatementLimit
{
    /// <summary>Of role <c>na_app</c>.</summary>
    public static readonly TimeSpan App = TimeSpan.FromSeconds(20);

    /// <summary>A wait of role <c>na_app</c> for a lock.</summary>
    public static readonly TimeSpan Lock = TimeSpan.FromSeconds(10);

    /// <summary>The database ended the statement, which took too long.</summary>
    public static bool Ended(Exception fault) => Is(fault, PostgresErrorCodes.QueryCanceled);

    /// <summary>The database ended the statement, which waited too long for what another transaction holds.</summary>
    public static bool EndedAtLock(Exception fault) => Is(fault, PostgresErrorCodes.LockNotAvailable);

    /// <summary>Gives the later statements of the transaction another time, where it is known that they need more.</summary>
    public static void Extend(this NetAutomationDb db, TimeSpan longest)
    {
        db.LongestStatement = longest;
        db.SendWithNext($"select set_config('statement_timeout', {$"{longest.TotalMilliseconds:0}"}, true)");
    }

    private static bool Is(Exception fault, string state) => (fault is PostgresException refusal && refusal.SqlState == state)
        || (fault.InnerException is { } inner && Is(inner, state));
}
