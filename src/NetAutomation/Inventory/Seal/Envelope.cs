using System.Security.Cryptography;
using System.Text;

namespace NetAutomation.Inventory.Seal;

/// <summary>A sealed secret as its columns hold it.</summary>
internal sealed record SealedSecret(byte[] Ct, byte[] Nonce, byte[] WrappedDek, int TenantKeyVersion);

/// <summary>
/// A random data key per secret version, wrapped by the tenant's key. Both layers are bound to the context (tenant, secret, version,
/// format), so a ciphertext that is moved to another row or tenant does not open.
/// </summary>
internal static class Envelope
{
    public const string Alg = "A256GCM";
    public const int Format = 1;

    public static SealedSecret Seal(TenantKey tenantKey, string context, ReadOnlySpan<byte> plain)
    {
        var place = Encoding.UTF8.GetBytes(context);
        var dek = RandomNumberGenerator.GetBytes(AeadBox.KeyBytes);
        var wrapping = tenantKey.For("wrap"u8);
        try
        {
            var (nonce, ct) = AeadBox.Seal(dek, plain, place);
            var (wrapNonce, wrapped) = AeadBox.Seal(wrapping, dek, place);
            return new SealedSecret(ct, nonce, [.. wrapNonce, .. wrapped], tenantKey.Version);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(dek);
            CryptographicOperations.ZeroMemory(wrapping);
        }
    }

    /// <summary>The caller zeroes the answer.</summary>
    /// <exception cref="CryptographicException">Another key, another place, or changed bytes.</exception>
    public static byte[] Open(TenantKey tenantKey, string context, SealedSecret secret)
    {
        var place = Encoding.UTF8.GetBytes(context);
        var wrapping = tenantKey.For("wrap"u8);
        byte[] dek = [];
        try
        {
            dek = AeadBox.Open(
                wrapping, secret.WrappedDek.AsSpan(0, AeadBox.NonceBytes), secret.WrappedDek.AsSpan(AeadBox.NonceBytes), place);
            return AeadBox.Open(dek, secret.Nonce, secret.Ct, place);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(dek);
            CryptographicOperations.ZeroMemory(wrapping);
        }
    }
}
