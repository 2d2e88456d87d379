using System.Globalization;
using EFCore.NamingConventions.Internal;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage.ValueConversion;
using NetAutomation.Web;

namespace NetAutomation.Persistence;

/// <summary>Ids as uuid, money as bigint micro-units, enums as their snake-case text.</summary>
internal static class Conventions
{
    private static readonly SnakeCaseNameRewriter _columns = new(CultureInfo.InvariantCulture);

    public static void Configure(ModelConfigurationBuilder builder)
    {
        var types = typeof(Conventions).Assembly.GetTypes();
        foreach (var kind in types.Where(type => typeof(IIdKind).IsAssignableFrom(type) && type.IsClass))
        {
            var id = typeof(Id<>).MakeGenericType(kind);
            builder.Properties(id).HaveConversion(typeof(IdConverter<>).MakeGenericType(kind));
        }

        builder.Properties<Money>().HaveConversion<MoneyConverter>();
        foreach (var type in types.Where(type => type.IsEnum && type.Namespace!.StartsWith("NetAutomation", StringComparison.Ordinal)))
        {
            builder.Properties(type).HaveConversion(typeof(EnumConverter<>).MakeGenericType(type));
        }
    }

    /// <summary>The column of a member of a record, by the rule that names the columns of entities.</summary>
    public static string Column(string member) => _columns.RewriteName(member);

    private sealed class IdConverter<TKind>() : ValueConverter<Id<TKind>, Guid>(id => id.Value, value => new Id<TKind>(value))
        where TKind : IIdKind;

    private sealed class MoneyConverter() : ValueConverter<Money, long>(money => money.Micros, micros => new Money(micros));

    private sealed class EnumConverter<T>() : ValueConverter<T, string>(value => Wire.Name(value), name => Wire.Value<T>(name))
        where T : struct, Enum;
}
