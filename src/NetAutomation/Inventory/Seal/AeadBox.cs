using System.Security.Cryptography;

namespace NetAutomation.Inventory.Seal;

/// <summary>AES-256-GCM with a random 96-bit nonce and a 128-bit tag behind the ciphertext (NIST SP 800-38D).</summary>
internal static class AeadBox
{
    public const int KeyBytes = 32;
    public const int NonceBytes = 12;
    private const int TagBytes = 16;

    public static (byte[] Nonce, byte[] Ct) Seal(ReadOnlySpan<byte> key, ReadOnlySpan<byte> plain, ReadOnlySpan<byte> context)
    {
        var nonce = RandomNumberGenerator.GetBytes(NonceBytes);
        var ct = new byte[plain.Length + TagBytes];
        using var aes = new AesGcm(key, TagBytes);
        aes.Encrypt(nonce, plain, ct.AsSpan(0, plain.Length), ct.AsSpan(plain.Length), context);
        return (nonce, ct);
    }

    /// <exception cref="CryptographicException">Another key, another place, or changed bytes.</exception>
    public static byte[] Open(ReadOnlySpan<byte> key, ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> ct, ReadOnlySpan<byte> context)
    {
        if (ct.Length < TagBytes)
        {
            throw new CryptographicException("The sealed secret is too short.");
        }

        var plain = new byte[ct.Length - TagBytes];
        using var aes = new AesGcm(key, TagBytes);
        aes.Decrypt(nonce, ct[..plain.Length], ct[plain.Length..], plain, context);
        return plain;
    }
}
