using Npgsql;

namespace NetAutomation.Tests.Support;

/// <summary>Statements of tests, with their values as $1, $2 and so on.</summary>
internal static class Statements
{
    public static async Task Execute(this NpgsqlDataSource source, string sql, params object[] values)
    {
        await using var command = source.Command(sql, values);
        await command.ExecuteNonQueryAsync();
    }

    /// <summary>The single value of a query; the default where it is null or there is no row.</summary>
    public static async Task<T> Value<T>(this NpgsqlDataSource source, string sql, params object[] values)
    {
        await using var command = source.Command(sql, values);
        return await command.ExecuteScalarAsync() is { } value and not DBNull ? (T)value : default!;
    }

    public static NpgsqlCommand Command(this NpgsqlDataSource source, string sql, params object[] values)
    {
        var command = source.CreateCommand(sql);
        Array.ForEach(values, value => command.Parameters.Add(new() { Value = value }));
        return command;
    }
}
