namespace NetAutomation.Inventory.Seal;

/// <summary>Wraps tenants' keys under a root key that the database never sees: a local file, or a key management service.</summary>
internal interface ISecretKeyProvider
{
    /// <param name="key">256 bits; the caller zeroes them.</param>
    ValueTask<byte[]> Wrap(TenantId tenant, int version, ReadOnlyMemory<byte> key, CancellationToken cancel);

    /// <exception cref="System.Security.Cryptography.CryptographicException">Not wrapped by this root key for this tenant and
    /// version.</exception>
    ValueTask<byte[]> Unwrap(TenantId tenant, int version, ReadOnlyMemory<byte> wrapped, CancellationToken cancel);
}
