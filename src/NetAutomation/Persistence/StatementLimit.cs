using Npgsql;

namespace NetAutomation.Persistence;

/// <summary>How long a statement of a request may take; the roles' settings say it to the database.</summary>
internal static class StatementLimit
{
    /// <summary>Of role <c>na_app</c>.</summary>
    public static readonly TimeSpan App = TimeSpan.FromSeconds(20);

    /// <summary>The database ended the statement, which took too long.</summary>
    public static bool Ended(Exception fault) => fault is PostgresException { SqlState: PostgresErrorCodes.QueryCanceled }
        || (fault.InnerException is { } inner && Ended(inner));

    /// <summary>Gives the later statements of the transaction another time, where it is known that they need more.</summary>
    public static void Extend(this NetAutomationDb db, TimeSpan longest) =>
        db.SendWithNext($"select set_config('statement_timeout', {$"{longest.TotalMilliseconds:0}"}, true)");
}
