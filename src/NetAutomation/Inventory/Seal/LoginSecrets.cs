using System.Buffers.Binary;
using System.Security.Cryptography;

namespace NetAutomation.Inventory.Seal;

/// <summary>The secrets of one credential while they are in memory.</summary>
internal sealed record LoginSecrets(Secret? Password, Secret? PrivateKey, Secret? Passphrase, Secret? Enable) : IDisposable
{
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
        var parts = new Secret?[4];
        for (var i = 0; i < parts.Length; i++)
        {
            var length = BinaryPrimitives.ReadInt32BigEndian(plain);
            plain = plain[4..];
            if (length >= 0)
            {
                parts[i] = new Secret(plain[..length].ToArray());
                plain = plain[length..];
            }
        }

        return new LoginSecrets(parts[0], parts[1], parts[2], parts[3]);
    }

    public void Dispose()
    {
        foreach (var part in Parts())
        {
            part?.Dispose();
        }
    }

    private Secret?[] Parts() => [Password, PrivateKey, Passphrase, Enable];

    /// <summary>Four parts, each with its length in front; -1 where it is absent.</summary>
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
