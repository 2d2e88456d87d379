using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using NetAutomation.AwsSimulator.State;
using NetAutomation.AwsSimulator.Wire;

namespace NetAutomation.AwsSimulator.Kms;

/// <summary>AWS KMS, AWS JSON 1.1 protocol: symmetric keys of the provider's account.</summary>
internal sealed class KeyOperations(IReadOnlyList<KmsKey> keys, SimulatorOptions options)
{
    private const int NonceBytes = 12;
    private const int TagBytes = 16;
    private const int LargestPlaintext = 4096;
    private const int LargestCiphertext = 6144;

    public Dictionary<string, JsonOperation> Operations => new(StringComparer.Ordinal)
    {
        ["TrentService.Encrypt"] = (call, body) => Task.FromResult(Encrypt(call, body)),
        ["TrentService.Decrypt"] = (call, body) => Task.FromResult(Decrypt(call, body)),
    };

    private object Encrypt(AwsCall call, JsonObject body)
    {
        var plain = Bytes(body, "Plaintext", LargestPlaintext);
        var key = Usable(call, JsonFields.Required(body, "KeyId"));
        var (nonce, ct) = (RandomNumberGenerator.GetBytes(NonceBytes), new byte[plain.Length + TagBytes]);
        using var aes = new AesGcm(key.Material, TagBytes);
        aes.Encrypt(nonce, plain, ct.AsSpan(0, plain.Length), ct.AsSpan(plain.Length), Context(body));
        byte[] blob = [.. Encoding.ASCII.GetBytes(key.Id), 0, .. nonce, .. ct];
        return new { KeyId = key.Arn, CiphertextBlob = Convert.ToBase64String(blob), EncryptionAlgorithm = "SYMMETRIC_DEFAULT" };
    }

    private object Decrypt(AwsCall call, JsonObject body)
    {
        var blob = Bytes(body, "CiphertextBlob", LargestCiphertext);
        var end = Array.IndexOf<byte>(blob, 0);
        var key = end > 0 && blob.Length > end + NonceBytes + TagBytes
            && keys.FirstOrDefault(each => each.Id == Encoding.ASCII.GetString(blob, 0, end)) is { } found ? found : throw Invalid();
        if (JsonFields.Text(body, "KeyId") is { } named && Usable(call, named) != key)
        {
            throw new AwsException(
                "IncorrectKeyException", "The key ID in the request does not identify a CMK that can perform this operation.");
        }

        Usable(call, key.Arn);
        var box = blob.AsSpan(end + 1);
        var plain = new byte[box.Length - NonceBytes - TagBytes];
        try
        {
            using var aes = new AesGcm(key.Material, TagBytes);
            aes.Decrypt(box[..NonceBytes], box[NonceBytes..^TagBytes], box[^TagBytes..], plain, Context(body));
        }
        catch (CryptographicException)
        {
            throw Invalid();
        }

        return new { KeyId = key.Arn, Plaintext = Convert.ToBase64String(plain), EncryptionAlgorithm = "SYMMETRIC_DEFAULT" };
    }

    /// <summary>A key of this id or ARN that may be used by the caller.</summary>
    private KmsKey Usable(AwsCall call, string name)
    {
        var key = call.Account == options.ProviderAccount ? keys.FirstOrDefault(each => each.Arn == name || each.Id == name) : null;
        return key is null ? throw new AwsException("NotFoundException", $"Key '{name}' does not exist")
            : key.Enabled ? key : throw new AwsException("DisabledException", $"{key.Arn} is disabled.");
    }

    private static byte[] Bytes(JsonObject body, string name, int longest)
    {
        var text = JsonFields.Required(body, name);
        var bytes = new byte[text.Length];
        return Convert.TryFromBase64String(text, bytes, out var length) && length is > 0 && length <= longest ? bytes[..length]
            : throw new AwsException(
                "ValidationException",
                $"1 validation error detected: Value at '{name}' failed to satisfy constraint: length 1 to {longest}");
    }

    // As AWS says, the order of the pairs does not count, and everything else does.
    private static byte[] Context(JsonObject body) => JsonSerializer.SerializeToUtf8Bytes(
        (body["EncryptionContext"] as JsonObject ?? []).OrderBy(pair => pair.Key, StringComparer.Ordinal)
            .Select(pair => new[] { pair.Key, $"{pair.Value}" }));

    private static AwsException Invalid() => new("InvalidCiphertextException", "");
}
