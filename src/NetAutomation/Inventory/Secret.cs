using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using NetAutomation.Web;

namespace NetAutomation.Inventory;

/// <summary>Secret text that is read from JSON but never written, prints as <c>(secret)</c>, and is zeroed when disposed.</summary>
[JsonConverter(typeof(SecretJsonConverter))]
public sealed class Secret : IDisposable
{
    private readonly byte[] _utf8;

    internal Secret(byte[] utf8) => _utf8 = utf8;

    /// <summary>The text in UTF-8; do not keep it beyond the secret's own life.</summary>
    public ReadOnlySpan<byte> Utf8() => _utf8;

    /// <summary>The text as a string, which cannot be zeroed: for interfaces that take nothing else.</summary>
    public string Reveal() => Encoding.UTF8.GetString(_utf8);

    public override string ToString() => "(secret)";

    public void Dispose() => CryptographicOperations.ZeroMemory(_utf8);

    private sealed class SecretJsonConverter : JsonConverter<Secret>
    {
        public override Secret Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
        {
            if (reader.TokenType != JsonTokenType.String)
            {
                throw new JsonException();
            }

            var length = reader.HasValueSequence ? checked((int)reader.ValueSequence.Length) : reader.ValueSpan.Length;
            var buffer = new byte[length];
            try
            {
                var text = buffer.AsSpan(0, reader.CopyString(buffer));
                return text.Contains((byte)0) ? throw new UnreadableValueException("A string holds U+0000.") : new Secret(text.ToArray());
            }
            catch (InvalidOperationException)
            {
                throw new UnreadableValueException("A string is not Unicode text.");
            }
            finally
            {
                CryptographicOperations.ZeroMemory(buffer);
            }
        }

        public override void Write(Utf8JsonWriter writer, Secret value, JsonSerializerOptions options) =>
            throw new NotSupportedException("Secrets are never written.");
    }
}
