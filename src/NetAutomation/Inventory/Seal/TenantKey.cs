using System.Security.Cryptography;

namespace NetAutomation.Inventory.Seal;

/// <summary>A tenant's key, unwrapped for as long as it is used.</summary>
internal sealed class TenantKey(int version, byte[] key) : IDisposable
{
    public int Version { get; } = version;

    /// <summary>A key for one purpose, so that no two uses share one.</summary>
    public byte[] For(ReadOnlySpan<byte> purpose)
    {
        var derived = new byte[AeadBox.KeyBytes];
        HKDF.Expand(HashAlgorithmName.SHA256, key, derived, purpose);
        return derived;
    }

    public void Dispose() => CryptographicOperations.ZeroMemory(key);
}
