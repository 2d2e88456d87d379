using System.Data.Common;
using System.Globalization;
using System.Linq.Expressions;
using System.Reflection;
using System.Text.Json;
using NetAutomation.Web;

namespace NetAutomation.Persistence;

/// <summary>
/// Rows as records by column name, by code compiled once for each record. <c>SqlQuery</c> of EF Core does not do it: rows that are no
/// entity know neither the conventions nor the converters of the model.
/// </summary>
/// <typeparam name="T">One value, or a record: its longest constructor and then its settable members.</typeparam>
internal static class Rows<T>
{
    private static readonly (string[] Columns, Func<DbDataReader, int[], T> Row) _shape = ShapeOf();

    /// <summary>Reads the row a reader is at; made once for each result.</summary>
    public static Func<DbDataReader, T> Of(DbDataReader result)
    {
        var ordinals = Array.ConvertAll(_shape.Columns, result.GetOrdinal);
        return reader => _shape.Row(reader, ordinals);
    }

    private static (string[] Columns, Func<DbDataReader, int[], T> Row) ShapeOf()
    {
        var (type, reader, ordinals) = (typeof(T), Expression.Parameter(typeof(DbDataReader)), Expression.Parameter(typeof(int[])));
        if (IsSingle(Nullable.GetUnderlyingType(type) ?? type))
        {
            return (
                [], Expression.Lambda<Func<DbDataReader, int[], T>>(Fields.Read(reader, Expression.Constant(0), type), reader, ordinals)
                    .Compile());
        }

        var columns = new List<string>();
        var constructor = type.GetConstructors().MaxBy(each => each.GetParameters().Length)
            ?? throw new InvalidOperationException($"{type} has no public constructor.");
        var created =
            Expression.New(constructor, Array.ConvertAll(constructor.GetParameters(), each => Field(each.Name!, each.ParameterType)));
        var members = type.GetProperties()
            .Where(each => each.SetMethod is not null && !constructor.GetParameters().Any(parameter => parameter.Name == each.Name))
            .Select(each => Expression.Bind(each, Field(each.Name, each.PropertyType))).ToList();
        return (
            [.. columns],
            Expression.Lambda<Func<DbDataReader, int[], T>>(Expression.MemberInit(created, members), reader, ordinals).Compile());

        Expression Field(string name, Type of)
        {
            columns.Add(Conventions.Column(name));
            return Fields.Read(reader, Expression.ArrayIndex(ordinals, Expression.Constant(columns.Count - 1)), of);
        }
    }

    private static bool IsSingle(Type type) =>
        type.IsPrimitive || type.IsEnum || type.IsArray || type.Namespace == nameof(System) || type == typeof(Money) || Fields.IsId(type);
}

/// <summary>How one value of a row is read.</summary>
internal static class Fields
{
    private static readonly Type[] _plain = [typeof(Guid), typeof(bool), typeof(int), typeof(long)];
    private static readonly MethodInfo _typed = typeof(DbDataReader).GetMethod(nameof(DbDataReader.GetFieldValue))!;

    /// <summary>The value as this type; null, or the type's default, where there is none.</summary>
    public static Expression Read(Expression reader, Expression ordinal, Type type) => Expression.Condition(
        Expression.Call(reader, nameof(DbDataReader.IsDBNull), null, ordinal),
        Expression.Default(type),
        Expression.Convert(Value(reader, ordinal, Nullable.GetUnderlyingType(type) ?? type), type));

    public static bool IsId(Type type) => type.IsGenericType && type.GetGenericTypeDefinition() == typeof(Id<>);

    private static Expression Value(Expression reader, Expression ordinal, Type type)
    {
        Expression Typed(Type of) => Expression.Call(reader, _typed.MakeGenericMethod(of), ordinal);
        Expression From(Type stored) => Expression.New(type.GetConstructor([stored])!, Typed(stored));
        return type switch
        {
            _ when _plain.Contains(type) => Typed(type),
            { IsEnum: true } => Expression.Call(typeof(Wire), nameof(Wire.Value), [type], Typed(typeof(string))),
            _ when type == typeof(Money) => From(typeof(long)),
            _ when IsId(type) => From(typeof(Guid)),
            _ when type == typeof(DateTimeOffset) => From(typeof(DateTime)),
            _ when type == typeof(JsonElement) => Expression.Call(typeof(Fields), nameof(Json), null, Typed(typeof(string))),
            _ => Expression.Convert(Expression.Call(typeof(Fields), nameof(Other), null, reader, ordinal, Expression.Constant(type)), type),
        };
    }

    private static JsonElement Json(string text) => JsonElement.Parse(text);

    private static object Other(DbDataReader reader, int ordinal, Type type) => reader.GetValue(ordinal) switch
    {
        var value when type.IsInstanceOfType(value) => value,
        string json when type == typeof(JsonElement) => JsonElement.Parse(json),
        DateTime day when type == typeof(DateOnly) => DateOnly.FromDateTime(day),
        var value => Convert.ChangeType(value, type, CultureInfo.InvariantCulture),
    };
}
