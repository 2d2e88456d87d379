using System.Data;
using System.Data.Common;
using System.Globalization;
using System.Reflection;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;
using NetAutomation.Platform;
using Npgsql;

namespace NetAutomation.Persistence;

/// <summary>
/// Reads rows into records by column name. <c>SqlQuery</c> of EF Core does not do it: rows that are no entity know neither the conventions
/// nor the converters of the model.
/// </summary>
internal static class Rows
{
    public static async Task<List<T>> Read<T>(DatabaseFacade database, FormattableString sql, CancellationToken cancel)
    {
        await database.OpenConnectionAsync(cancel);
        try
        {
            await using var command = ((NpgsqlConnection)database.GetDbConnection()).CreateCommand();
            command.Transaction = (NpgsqlTransaction?)database.CurrentTransaction?.GetDbTransaction();
            var arguments = sql.GetArguments();
            command.CommandText = string.Format(
                CultureInfo.InvariantCulture, sql.Format, [.. Enumerable.Range(0, arguments.Length).Select(object? (i) => $"@p{i}")]);
            for (var i = 0; i < arguments.Length; i++)
            {
                command.Parameters.Add(new NpgsqlParameter($"p{i}", arguments[i] ?? DBNull.Value));
            }

            await using var reader = await command.ExecuteReaderAsync(CommandBehavior.Default, cancel);
            var rows = new List<T>();
            while (await reader.ReadAsync(cancel))
            {
                rows.Add(Shape<T>.Read(reader));
            }

            return rows;
        }
        finally
        {
            await database.CloseConnectionAsync();
        }
    }

    private static object? Field(DbDataReader reader, int ordinal, Type type)
    {
        if (reader.IsDBNull(ordinal))
        {
            return null;
        }

        var plain = Nullable.GetUnderlyingType(type) ?? type;
        if (plain.IsEnum)
        {
            return Get(nameof(EnumField), plain, reader, ordinal);
        }

        if (plain == typeof(Money))
        {
            return new Money(reader.GetInt64(ordinal));
        }

        return plain.IsGenericType && plain.GetGenericTypeDefinition() == typeof(Id<>)
            ? Activator.CreateInstance(plain, reader.GetGuid(ordinal))
            : Get(nameof(PlainField), plain, reader, ordinal);
    }

    private static object? Get(string method, Type type, DbDataReader reader, int ordinal) =>
        typeof(Rows).GetMethod(method, BindingFlags.NonPublic | BindingFlags.Static)!.MakeGenericMethod(type)
            .Invoke(null, BindingFlags.DoNotWrapExceptions, null, [reader, ordinal], null);

    private static object? PlainField<T>(DbDataReader reader, int ordinal) => reader.GetFieldValue<T>(ordinal);

    private static object? EnumField<T>(DbDataReader reader, int ordinal)
        where T : struct, Enum => Wire.Value<T>(reader.GetString(ordinal));

    /// <summary>How a row becomes a <typeparamref name="T"/>: one value, or a record by its longest constructor and then its settable members.</summary>
    private static class Shape<T>
    {
        private static readonly bool _single = IsSingle(Nullable.GetUnderlyingType(typeof(T)) ?? typeof(T));
        private static readonly ConstructorInfo? _constructor = _single
            ? null
            : typeof(T).GetConstructors(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic)
                .Where(each => each.GetParameters() is not [var only] || only.ParameterType != typeof(T)).MaxBy(each => each.GetParameters().Length);

        private static readonly ParameterInfo[] _parameters = _constructor?.GetParameters() ?? [];
        private static readonly PropertyInfo[] _members = _single
            ? []
            : [.. typeof(T).GetProperties().Where(each => each.SetMethod is not null && !_parameters.Any(parameter => parameter.Name == each.Name))];

        public static T Read(DbDataReader reader)
        {
            if (_single)
            {
                return (T)Field(reader, 0, typeof(T))!;
            }

            var values = Array.ConvertAll(_parameters, parameter => Field(reader, Ordinal(reader, parameter.Name!), parameter.ParameterType));
            var row = (T)_constructor!.Invoke(BindingFlags.DoNotWrapExceptions, null, values, null);
            foreach (var member in _members)
            {
                member.SetValue(row, Field(reader, Ordinal(reader, member.Name), member.PropertyType));
            }

            return row;
        }

        private static int Ordinal(DbDataReader reader, string name) => reader.GetOrdinal(Conventions.Snake(name));

        private static bool IsSingle(Type type) =>
            type.IsPrimitive || type.IsEnum || type.IsArray || type.Namespace == nameof(System) || type == typeof(Money)
            || (type.IsGenericType && type.GetGenericTypeDefinition() == typeof(Id<>));
    }
}
