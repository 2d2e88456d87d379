using System.Collections.Concurrent;
using System.Data.Common;
using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;

namespace NetAutomation.Persistence;

/// <summary>
/// Reads rows into records by column name. <c>SqlQuery</c> of EF Core does not do it: rows that are no entity know neither the conventions
/// nor the converters of the model.
/// </summary>
internal static class Rows
{
    private static readonly ConcurrentDictionary<Type, Func<DbDataReader, object?>> _shapes = new();
    private static readonly ConcurrentDictionary<Type, Dictionary<string, object>> _enums = new();

    public static async Task<List<T>> Read<T>(DatabaseFacade database, FormattableString sql, CancellationToken cancel)
    {
        var rows = new List<T>();
        await foreach (var row in Stream<T>(database, sql, cancel))
        {
            rows.Add(row);
        }

        return rows;
    }

    /// <summary>Row by row, for results that do not fit into memory. The connection does nothing else meanwhile.</summary>
    public static async IAsyncEnumerable<T> Stream<T>(DatabaseFacade database, FormattableString sql, [EnumeratorCancellation] CancellationToken cancel)
    {
        await database.OpenConnectionAsync(cancel);
        try
        {
            await using var command = ((NpgsqlConnection)database.GetDbConnection()).CreateCommand();
            command.CommandTimeout = database.GetCommandTimeout() ?? command.CommandTimeout;
            command.Transaction = (NpgsqlTransaction?)database.CurrentTransaction?.GetDbTransaction();
            var arguments = sql.GetArguments();
            object?[] names = [.. Enumerable.Range(0, arguments.Length).Select(i => $"@p{i}")];
#pragma warning disable S2077 // Only the parameters' names are formatted in.
            command.CommandText = string.Format(CultureInfo.InvariantCulture, sql.Format, names);
#pragma warning restore S2077
            for (var i = 0; i < arguments.Length; i++)
            {
                command.Parameters.Add(new NpgsqlParameter($"p{i}", arguments[i] ?? DBNull.Value));
            }

            await using var reader = await command.ExecuteReaderAsync(cancel);
            var shape = _shapes.GetOrAdd(typeof(T), ShapeOf);
            while (await reader.ReadAsync(cancel))
            {
                yield return (T)shape(reader)!;
            }
        }
        finally
        {
            await database.CloseConnectionAsync();
        }
    }

    /// <summary>One value, or a record by its longest constructor and then its settable members.</summary>
    private static Func<DbDataReader, object?> ShapeOf(Type type)
    {
        if (IsSingle(Nullable.GetUnderlyingType(type) ?? type))
        {
            return reader => Field(reader, 0, type);
        }

        var constructor = type.GetConstructors().MaxBy(each => each.GetParameters().Length) ?? throw new InvalidOperationException($"{type} has no public constructor.");
        var parameters = Array.ConvertAll(constructor.GetParameters(), each => (each.ParameterType, Column: Conventions.Snake(each.Name!)));
        var members = type.GetProperties()
            .Where(each => each.SetMethod is not null && !constructor.GetParameters().Any(parameter => parameter.Name == each.Name)).ToArray();
        return reader =>
        {
            var values = Array.ConvertAll(parameters, each => Field(reader, reader.GetOrdinal(each.Column), each.ParameterType));
            var row = constructor.Invoke(BindingFlags.DoNotWrapExceptions, null, values, null);
            foreach (var member in members)
            {
                member.SetValue(row, Field(reader, reader.GetOrdinal(Conventions.Snake(member.Name)), member.PropertyType));
            }

            return row;
        };
    }

    private static object? Field(DbDataReader reader, int ordinal, Type type)
    {
        var value = reader.GetValue(ordinal);
        if (value is DBNull)
        {
            return null;
        }

        var plain = Nullable.GetUnderlyingType(type) ?? type;
        return (value, plain) switch
        {
            _ when plain.IsInstanceOfType(value) => value,
            (string name, { IsEnum: true }) => _enums.GetOrAdd(plain, NamesOf)[name],
            (long micros, _) when plain == typeof(Money) => new Money(micros),
            (Guid id, _) when IsId(plain) => Activator.CreateInstance(plain, id),
            (DateTime instant, _) when plain == typeof(DateTimeOffset) => new DateTimeOffset(instant),
            (DateTime day, _) when plain == typeof(DateOnly) => DateOnly.FromDateTime(day),
            _ => Convert.ChangeType(value, plain, CultureInfo.InvariantCulture),
        };
    }

    private static Dictionary<string, object> NamesOf(Type type) =>
        Enum.GetValues(type).Cast<object>().ToDictionary(value => JsonNamingPolicy.SnakeCaseLower.ConvertName($"{value}"), StringComparer.Ordinal);

    private static bool IsSingle(Type type) =>
        type.IsPrimitive || type.IsEnum || type.IsArray || type.Namespace == nameof(System) || type == typeof(Money) || IsId(type);

    private static bool IsId(Type type) => type.IsGenericType && type.GetGenericTypeDefinition() == typeof(Id<>);
}
