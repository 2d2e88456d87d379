using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using NetAutomation.Web;

namespace NetAutomation;

/// <summary>An amount in micro-units of US dollars, the one currency of this ledger. Never a floating-point number.</summary>
[JsonConverter(typeof(MoneyJsonConverter))]
public readonly record struct Money(long Micros) : IComparable<Money>
{
    public const string Currency = "USD";
    internal const long Unit = 1_000_000;

    /// <summary>The smallest amount that is paid.</summary>
    public static readonly Money Cent = new(Unit / 100);

    /// <summary>The most that a price or a correction may be.</summary>
    public static readonly Money Most = new(1_000_000 * Unit);

    public static Money Zero => default;

    public static Money operator +(Money a, Money b) => new(checked(a.Micros + b.Micros));

    public static Money operator -(Money a, Money b) => new(checked(a.Micros - b.Micros));

    public static Money operator *(Money a, long factor) => new(checked(a.Micros * factor));

    public static bool operator <(Money a, Money b) => a.Micros < b.Micros;

    public static bool operator >(Money a, Money b) => a.Micros > b.Micros;

    public static bool operator <=(Money a, Money b) => a.Micros <= b.Micros;

    public static bool operator >=(Money a, Money b) => a.Micros >= b.Micros;

    public int CompareTo(Money other) => Micros.CompareTo(other.Micros);

    /// <summary>Exactly six decimals, for example <c>1.250000</c>.</summary>
    public override string ToString() =>
        $"{(Micros < 0 ? "-" : "")}{Math.Abs(Micros / Unit)}.{Math.Abs(Micros % Unit).ToString("D6", CultureInfo.InvariantCulture)}";

    /// <summary>Reads a decimal text with 0-6 decimals; null where it is not one or does not fit.</summary>
    public static Money? Read(string text)
    {
        const NumberStyles style = NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint;
        return decimal.TryParse(text, style, CultureInfo.InvariantCulture, out var amount)
            && Math.Abs(amount) <= long.MaxValue / Unit
            && decimal.Truncate(amount * Unit) == amount * Unit
            ? new Money((long)(amount * Unit))
            : null;
    }

    private sealed class MoneyJsonConverter : JsonConverter<Money>
    {
        public override Money Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
        {
            if (reader.TokenType == JsonTokenType.Number)
            {
                throw new RefusedValueException("money_format", "Money is an object with a decimal string, not a JSON number.");
            }

            if (reader.TokenType != JsonTokenType.StartObject)
            {
                throw new JsonException();
            }

            string? amount = null, currency = null;
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                var name = reader.GetString();
                reader.Read();
                if (name == "amount" ? amount is not null : name == "currency" && currency is not null)
                {
                    throw new UnreadableValueException("The member is given twice.", $"/{name}");
                }

                if (name == "amount" && reader.TokenType == JsonTokenType.String)
                {
                    amount = reader.GetString();
                }
                else if (name == "amount" && reader.TokenType == JsonTokenType.Number)
                {
                    throw new RefusedValueException("money_format", "The amount is a decimal string, not a JSON number.");
                }
                else if (name == "currency" && reader.TokenType == JsonTokenType.String)
                {
                    currency = reader.GetString();
                }
                else
                {
                    throw new JsonException();
                }
            }

            if (amount is null || currency is null)
            {
                throw new JsonException();
            }

            if (currency != Currency)
            {
                throw new RefusedValueException("currency_not_supported", $"The currency is {Currency}.");
            }

            return Money.Read(amount)
                ?? throw new RefusedValueException("money_format", "The amount is a decimal string with at most 6 decimals.");
        }

        public override void Write(Utf8JsonWriter writer, Money value, JsonSerializerOptions options)
        {
            writer.WriteStartObject();
            writer.WriteString("amount", value.ToString());
            writer.WriteString("currency", Currency);
            writer.WriteEndObject();
        }
    }
}
