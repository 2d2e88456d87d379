using System.Text;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;
using Microsoft.EntityFrameworkCore.Metadata.Conventions;
using Microsoft.EntityFrameworkCore.Storage.ValueConversion;
using NetAutomation.Web;

namespace NetAutomation.Persistence;

/// <summary>Snake-case columns; ids as uuid, money as bigint micro-units, enums as their snake-case text.</summary>
internal static class Conventions
{
    public static void Configure(ModelConfigurationBuilder builder)
    {
        builder.Conventions.Add(_ => new SnakeCase());
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

    public static string Snake(string name)
    {
        var text = new StringBuilder(name.Length + 4);
        for (var i = 0; i < name.Length; i++)
        {
            if (i > 0 && char.IsUpper(name[i]) && !char.IsUpper(name[i - 1]))
            {
                text.Append('_');
            }

            text.Append(char.ToLowerInvariant(name[i]));
        }

        return text.ToString();
    }

    private sealed class SnakeCase : IPropertyAddedConvention
    {
        public void ProcessPropertyAdded(IConventionPropertyBuilder propertyBuilder, IConventionContext<IConventionPropertyBuilder> context)
        {
            // SqlQuery of a single value names its column Value.
            if (propertyBuilder.Metadata.DeclaringType.ClrType.Namespace?.StartsWith("NetAutomation", StringComparison.Ordinal) == true)
            {
                propertyBuilder.HasColumnName(Snake(propertyBuilder.Metadata.Name));
            }
        }
    }

    private sealed class IdConverter<TKind>() : ValueConverter<Id<TKind>, Guid>(id => id.Value, value => new Id<TKind>(value))
        where TKind : IIdKind;

    private sealed class MoneyConverter() : ValueConverter<Money, long>(money => money.Micros, micros => new Money(micros));

    private sealed class EnumConverter<T>() : ValueConverter<T, string>(value => Wire.Name(value), name => Wire.Value<T>(name))
        where T : struct, Enum;
}
