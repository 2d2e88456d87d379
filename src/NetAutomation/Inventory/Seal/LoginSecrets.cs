using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace NetAutomation.Inventory.Seal;

/// <summary>The secrets of one credential while they are in memory.</summary>
internal sealed record LoginSecrets(
    Secret? Password, Secret? PrivateKey, Secret? Passphrase, Secret? Enable, IReadOnlyList<LoginAnswer> Answers) : IDisposable
{
    private const int Fixed = 4;
    private const int FingerprintBytes = 16;

    /// <summary>Seals the secrets; the fingerprint tells equal secrets of one tenant, and nothing to anyone without its key.</summary>
    public (SealedSecret Envelope, string Fingerprint) Seal(TenantKey key, string context)
    {
        var plain = Pack();
        var marking = key.For("fingerprint"u8);
        try
        {
            var mark = HMACSHA256.HashData(marking, plain);
            return (Envelope.Seal(key, context, plain), $"hmac-sha256:{Convert.ToHexStringLower(mark.AsSpan(0, FingerprintBytes))}");
        }
        finally
        {
            CryptographicOperations.ZeroMemory(plain);
            CryptographicOperations.ZeroMemory(marking);
        }
    }

    public static LoginSecrets Unpack(ReadOnlySpan<byte> plain)
    {
        var parts = new List<Secret?>();
        while (plain.Length > 0)
        {
            var length = BinaryPrimitives.ReadInt32BigEndian(plain);
            plain = plain[4..];
            parts.Add(length < 0 ? null : new Secret(plain[..length].ToArray()));
            plain = plain[Math.Max(length, 0)..];
        }

        return new LoginSecrets(
            parts[0], parts[1], parts[2], parts[3],
            [.. parts.Skip(Fixed).Chunk(2).Select(pair => new LoginAnswer(pair[0]!.Reveal(), pair[1]!))]);
    }

    public void Dispose()
    {
        foreach (var part in Parts())
        {
            part?.Dispose();
        }
    }

    private Secret?[] Parts() =>
    [
        Password, PrivateKey, Passphrase, Enable,
        .. Answers.SelectMany(each => new[] { new Secret(Encoding.UTF8.GetBytes(each.Pattern)), each.Answer }),
    ];

    /// <summary>
    /// Four parts, then pattern and answer of each answer; each part has its length in front, -1 where it is absent.
    /// </summary>
    private byte[] Pack()
    {
        var plain = new byte[Parts().Sum(part => 4 + (part?.Utf8().Length ?? 0))];
        var rest = plain.AsSpan();
        foreach (var part in Parts())
        {
            var text = part is null ? default : part.Utf8();
            BinaryPrimitives.WriteInt32BigEndian(rest, part is null ? -1 : text.Length);
            text.CopyTo(rest[4..]);
            rest = rest[(4 + text.Length)..];
        }

        return plain;
    }
}
