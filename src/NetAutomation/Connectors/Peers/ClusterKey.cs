using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Options;
using NetAutomation.Web;

namespace NetAutomation.Connectors.Peers;

/// <summary>
/// Signs calls to other replicas and opens theirs: <c>base64url(JSON).base64url(HMAC-SHA256)</c>, by the key all replicas share.
/// </summary>
internal sealed class ClusterKey(IOptions<PeerOptions> options, TimeProvider clock)
{
    private static readonly TimeSpan _lifetime = TimeSpan.FromSeconds(30);

    /// <summary>Clocks of replicas may differ by this much.</summary>
    private static readonly TimeSpan _skew = TimeSpan.FromSeconds(5);
    private readonly Lazy<byte[]> _key = new(() => HKDF.DeriveKey(
        HashAlgorithmName.SHA256, Encoding.UTF8.GetBytes(File.ReadAllText(options.Value.ClusterKeyFile).Trim()), 32,
        info: "netautomation peer v1"u8.ToArray()));

    public string Sign(PeerCall call)
    {
        var payload =
            JsonSerializer.SerializeToUtf8Bytes(call with { Expires = (clock.GetUtcNow() + _lifetime).ToUnixTimeMilliseconds() }, Json.Api);
        return $"{Base64Url.EncodeToString(payload)}.{Base64Url.EncodeToString(Mac(payload))}";
    }

    /// <summary>Null unless the token is ours, for this path of this replica, and not too old.</summary>
    public PeerCall? Open(string token, string path, string self)
    {
        if (!options.Value.IsSet || token.Split('.') is not [var payloadText, var macText])
        {
            return null;
        }

        try
        {
            var payload = Base64Url.DecodeFromChars(payloadText);
            if (!CryptographicOperations.FixedTimeEquals(Mac(payload), Base64Url.DecodeFromChars(macText)))
            {
                return null;
            }

            var call = JsonSerializer.Deserialize<PeerCall>(payload, Json.Api);
            var left = TimeSpan.FromMilliseconds((call?.Expires ?? 0) - clock.GetUtcNow().ToUnixTimeMilliseconds());
            return call?.Path == path && call.To == self && left > TimeSpan.Zero && left <= _lifetime + _skew ? call : null;
        }
        catch (Exception e) when (e is FormatException or JsonException)
        {
            return null;
        }
    }

    private byte[] Mac(byte[] payload) => HMACSHA256.HashData(_key.Value, payload);
}
