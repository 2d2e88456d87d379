using System.Buffers;
using System.Collections;
using System.Numerics;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace NetAutomation.Web;

/// <summary>A value that can be read but is refused: answered 422, where a plain <see cref="JsonException"/> is 400.</summary>
internal sealed class RefusedValueException(string code, string message) : JsonException(message)
{
    public string Code { get; } = code;
}

/// <summary>A value that cannot be read, answered 400 with this message.</summary>
/// <param name="within">Pointer from the value that was being read to the one that is meant.</param>
internal sealed class UnreadableValueException(string message, string within = "") : JsonException(message)
{
    public string Within { get; } = within;
}

/// <summary>How the API reads and writes JSON.</summary>
internal static class Json
{
    /// <summary>So many levels may be nested.</summary>
    public const int Deepest = 32;

    public static JsonSerializerOptions Api { get; } = Configure(new JsonSerializerOptions());

    public static JsonSerializerOptions Configure(JsonSerializerOptions options)
    {
        options.PropertyNamingPolicy = JsonNamingPolicy.CamelCase;
        options.DictionaryKeyPolicy = null;
        options.PropertyNameCaseInsensitive = false;
        options.NumberHandling = JsonNumberHandling.Strict;
        options.UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow;
        options.RespectNullableAnnotations = true;
        options.RespectRequiredConstructorParameters = true;
        options.AllowDuplicateProperties = false;
        options.MaxDepth = Deepest;
        options.Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping;
        options.Converters.Add(new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower, allowIntegerValues: false));
        options.Converters.Add(new InstantConverter());
        options.Converters.Add(new TextConverter());
        options.Converters.Add(new ElementConverter());
        options.Converters.Add(new WholeNumberConverter<int>());
        options.Converters.Add(new WholeNumberConverter<long>());
        options.TypeInfoResolver = (options.TypeInfoResolver ?? new DefaultJsonTypeInfoResolver()).WithAddedModifier(RefuseNullElements);
        return options;
    }

    // RespectNullableAnnotations looks at members only, and no collection of the API means anything by null.
    private static void RefuseNullElements(JsonTypeInfo info)
    {
        if (info.Kind is JsonTypeInfoKind.Enumerable or JsonTypeInfoKind.Dictionary && info.ElementType is { IsValueType: false } element
            && element != typeof(object) && !element.IsAssignableTo(typeof(JsonNode)))
        {
            info.OnDeserialized = value =>
            {
                if ((value is IDictionary pairs ? pairs.Values : (IEnumerable)value).Cast<object?>().Contains(null))
                {
                    throw new UnreadableValueException("None of the values may be null.");
                }
            };
        }
    }

    /// <summary>RFC 3339 in UTC with milliseconds.</summary>
    private sealed class InstantConverter : JsonConverter<DateTimeOffset>
    {
        public override DateTimeOffset Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            reader.TokenType == JsonTokenType.String && reader.TryGetDateTimeOffset(out var instant)
                ? instant.ToUniversalTime() : throw new JsonException();

        public override void Write(Utf8JsonWriter writer, DateTimeOffset value, JsonSerializerOptions options) =>
            writer.WriteStringValue(
                value.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", System.Globalization.CultureInfo.InvariantCulture));
    }

    /// <summary>PostgreSQL stores no U+0000, so it is refused where it enters.</summary>
    private sealed class TextConverter : JsonConverter<string>
    {
        public override string? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
        {
            if (reader.TokenType != JsonTokenType.String)
            {
                throw new JsonException();
            }

            return Text(ref reader);
        }

        public override void Write(Utf8JsonWriter writer, string value, JsonSerializerOptions options) => writer.WriteStringValue(value);

        public override string ReadAsPropertyName(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            Text(ref reader);

        public override void WriteAsPropertyName(Utf8JsonWriter writer, string value, JsonSerializerOptions options) =>
            writer.WritePropertyName(value);

        private static string Text(ref Utf8JsonReader reader)
        {
            var text = reader.GetString()!;
            return text.Contains('\0', StringComparison.Ordinal) ? throw new UnreadableValueException("A string holds U+0000.") : text;
        }
    }

    /// <summary>An integer is a number by its value, as in JSON Schema: 1.0 and 1e2 are integers.</summary>
    private sealed class WholeNumberConverter<T> : JsonConverter<T>
        where T : struct, IBinaryInteger<T>
    {
        public override T Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
        {
            if (reader.TokenType != JsonTokenType.Number)
            {
                throw new JsonException();
            }

            if (!reader.TryGetInt64(out var value)
                && !CanonicalJson.IsWhole(
                    Encoding.ASCII.GetString(reader.HasValueSequence ? reader.ValueSequence.ToArray() : reader.ValueSpan), out value))
            {
                throw new JsonException();
            }

            var number = T.CreateTruncating(value);
            return long.CreateTruncating(number) == value ? number : throw new JsonException();
        }

        public override void Write(Utf8JsonWriter writer, T value, JsonSerializerOptions options) =>
            writer.WriteNumberValue(long.CreateTruncating(value));
    }

    /// <summary>Any JSON. The framework's own converter says of a member that is given twice inside it only that there is one.</summary>
    private sealed class ElementConverter : JsonConverter<JsonElement>
    {
        public override JsonElement Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
        {
            var value = JsonElement.ParseValue(ref reader);
            return Duplicate(value, "") is { } pointer ? throw new UnreadableValueException("The member is given twice.", pointer) : value;
        }

        public override void Write(Utf8JsonWriter writer, JsonElement value, JsonSerializerOptions options) => value.WriteTo(writer);

        private static string? Duplicate(JsonElement value, string at)
        {
            if (value.ValueKind == JsonValueKind.Array)
            {
                return value.EnumerateArray().Select((item, index) => Duplicate(item, $"{at}/{index}"))
                    .FirstOrDefault(found => found is not null);
            }

            var names = new HashSet<string>(StringComparer.Ordinal);
            return value.ValueKind != JsonValueKind.Object ? null : value.EnumerateObject()
                .Select(member => (Name: Name(member), member.Value))
                .Where(member => member.Name is not null)
                .Select(member => names.Add(member.Name!)
                    ? Duplicate(member.Value, $"{at}/{JsonPointer.Escape(member.Name!)}") : $"{at}/{JsonPointer.Escape(member.Name!)}")
                .FirstOrDefault(found => found is not null);
        }

        /// <summary>Null where it is not Unicode text, which is refused where the value is used.</summary>
        private static string? Name(JsonProperty member)
        {
            try
            {
                return member.Name;
            }
            catch (InvalidOperationException)
            {
                return null;
            }
        }
    }
}
