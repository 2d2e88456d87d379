using System.Security.Cryptography;
using NetAutomation.Persistence;

namespace NetAutomation.Inventory.Seal;

/// <summary>A key of the provider's that wraps the keys of tenants.</summary>
internal interface IRootKey
{
    /// <summary>Bytes of <see cref="Fingerprint"/>.</summary>
    public const int FingerprintBytes = 8;

    /// <summary>Tells it from every other one.</summary>
    ReadOnlyMemory<byte> Fingerprint { get; }

    /// <summary>Wraps a tenant's key of 256 bits for this tenant and version.</summary>
    /// <exception cref="AwayException">It cannot be reached now.</exception>
    Task<byte[]> Wrap(TenantId tenant, int version, ReadOnlyMemory<byte> key, CancellationToken cancel);

    /// <summary>The caller zeroes the answer.</summary>
    /// <exception cref="CryptographicException">Not wrapped by this key for this tenant and version.</exception>
    /// <exception cref="AwayException">It cannot be reached now.</exception>
    Task<byte[]> Unwrap(TenantId tenant, int version, ReadOnlyMemory<byte> wrapped, CancellationToken cancel);
}
