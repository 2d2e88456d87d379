using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace NetAutomation;

/// <summary>Names one kind of identifier and the prefix its text form carries.</summary>
public interface IIdKind
{
    /// <summary>Text before the 26 Crockford characters, for example <c>run_</c>.</summary>
    static abstract string Prefix { get; }
}

/// <summary>
/// A prefix and 26 lower-case Crockford base32 characters of a UUIDv7. A malformed id is answered like one that does not exist.
/// </summary>
[JsonConverter(typeof(IdJsonConverterFactory))]
public readonly record struct Id<TKind>(Guid Value) : IParsable<Id<TKind>>, IComparable<Id<TKind>>
    where TKind : IIdKind
{
    private const string Alphabet = "0123456789abcdefghjkmnpqrstvwxyz";
    private const int Digits = 26;

    /// <summary>The id that names nothing.</summary>
    public static Id<TKind> None => default;

    /// <summary>A new time-ordered id.</summary>
    public static Id<TKind> New() => new(Guid.CreateVersion7());

    public int CompareTo(Id<TKind> other) => Value.CompareTo(other.Value);

    public override string ToString() => string.Create(TKind.Prefix.Length + Digits, Value, static (text, value) =>
    {
        Span<byte> bytes = stackalloc byte[16];
        value.TryWriteBytes(bytes, bigEndian: true, out _);
        var number = BinaryPrimitives.ReadUInt128BigEndian(bytes);
        TKind.Prefix.CopyTo(text);
        for (var i = text.Length - 1; i >= TKind.Prefix.Length; i--)
        {
            text[i] = Alphabet[(int)(number & 31)];
            number >>= 5;
        }
    });

    public static Id<TKind> Parse(string s) => TryRead(s, out var id) ? id : None;

    static Id<TKind> IParsable<Id<TKind>>.Parse(string s, IFormatProvider? provider) => Parse(s);

    public static bool TryParse([NotNullWhen(true)] string? s, IFormatProvider? provider, out Id<TKind> result)
    {
        result = s is null ? None : Parse(s);
        return true;
    }

    /// <summary>False where the text is not an id of this kind.</summary>
    public static bool TryRead(string text, out Id<TKind> id)
    {
        id = None;
        if (text.Length != TKind.Prefix.Length + Digits || !text.StartsWith(TKind.Prefix, StringComparison.Ordinal))
        {
            return false;
        }

        var number = UInt128.Zero;
        foreach (var c in text.AsSpan(TKind.Prefix.Length))
        {
            var digit = Alphabet.IndexOf(c, StringComparison.Ordinal);
            if (digit < 0 || number >> 123 != 0)
            {
                return false;
            }

            number = (number << 5) | (uint)digit;
        }

        Span<byte> bytes = stackalloc byte[16];
        BinaryPrimitives.WriteUInt128BigEndian(bytes, number);
        id = new Id<TKind>(new Guid(bytes, bigEndian: true));
        return true;
    }
}

internal sealed class IdJsonConverterFactory : JsonConverterFactory
{
    public override bool CanConvert(Type typeToConvert) =>
        typeToConvert.IsGenericType && typeToConvert.GetGenericTypeDefinition() == typeof(Id<>);

    public override JsonConverter CreateConverter(Type typeToConvert, JsonSerializerOptions options) =>
        (JsonConverter)Activator.CreateInstance(typeof(IdJsonConverter<>).MakeGenericType(typeToConvert.GetGenericArguments()))!;

    private sealed class IdJsonConverter<TKind> : JsonConverter<Id<TKind>>
        where TKind : IIdKind
    {
        public override Id<TKind> Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            reader.TokenType == JsonTokenType.String ? Id<TKind>.Parse(reader.GetString()!) : throw new JsonException();

        public override void Write(Utf8JsonWriter writer, Id<TKind> value, JsonSerializerOptions options) =>
            writer.WriteStringValue(value.ToString());

        public override Id<TKind> ReadAsPropertyName(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            Id<TKind>.Parse(reader.GetString()!);

        public override void WriteAsPropertyName(Utf8JsonWriter writer, Id<TKind> value, JsonSerializerOptions options) =>
            writer.WritePropertyName(value.ToString());
    }
}
