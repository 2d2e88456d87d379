using System.Text.Json;
using System.Text.Json.Serialization;
using Amazon.Runtime;

namespace NetAutomation.Aws.Wire;

/// <summary>How the AWS JSON protocols write values: no nulls, timestamps as epoch seconds, constants as their text.</summary>
internal static class WireJson
{
    public static JsonSerializerOptions Options { get; } = new()
    {
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Converters = { new EpochSeconds(), new ConstantText() },
    };

    private sealed class EpochSeconds : JsonConverter<DateTime>
    {
        public override DateTime Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            DateTime.UnixEpoch.AddSeconds(reader.GetDouble());

        public override void Write(Utf8JsonWriter writer, DateTime value, JsonSerializerOptions options) =>
            writer.WriteNumberValue(new DateTimeOffset(value.ToUniversalTime()).ToUnixTimeSeconds());
    }

    private sealed class ConstantText : JsonConverter<ConstantClass>
    {
        public override bool CanConvert(Type typeToConvert) => typeToConvert.IsSubclassOf(typeof(ConstantClass));

        public override ConstantClass Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            (ConstantClass)Activator.CreateInstance(typeToConvert, reader.GetString())!;

        public override void Write(Utf8JsonWriter writer, ConstantClass value, JsonSerializerOptions options) =>
            writer.WriteStringValue(value.Value);
    }
}
