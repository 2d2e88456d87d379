using System.Security.Cryptography;
using System.Text;
using NetAutomation.Inventory.Seal;
using NetAutomation.Persistence;

namespace NetAutomation.Inventory;

/// <summary>Seals texts of devices by keys that follow from the tenant's: who destroys that one destroys what they have sealed.</summary>
internal sealed class TextSeals(TenantKeys keys)
{
    /// <summary>By the tenant's newest key.</summary>
    public async Task<TextSeal> Newest(NetAutomationDb db, TenantId tenant, CancellationToken cancel) =>
        new(await keys.Current(db, tenant, cancel));

    /// <summary>By the tenant's key of this version.</summary>
    public async Task<TextSeal> Of(NetAutomationDb db, int version, CancellationToken cancel) =>
        new(await keys.Get(db, version, cancel));
}

/// <summary>Seals and opens texts as long as it is used.</summary>
internal sealed class TextSeal : IDisposable
{
    private const int DigestBytes = 16;
    private readonly byte[] _sealing;
    private readonly byte[] _marking;

    internal TextSeal(TenantKey key)
    {
        using (key)
        {
            (Version, _sealing, _marking) = (key.Version, key.For("text"u8), key.For("text-digest"u8));
        }
    }

    /// <summary>The version of the tenant's key.</summary>
    public int Version { get; }

    /// <param name="place">What the box opens as only: it says tenant, device and what is in it.</param>
    public byte[] Seal(string place, ReadOnlySpan<byte> plain)
    {
        var (nonce, ct) = AeadBox.Seal(_sealing, plain, Encoding.UTF8.GetBytes(place));
        return [.. nonce, .. ct];
    }

    /// <exception cref="CryptographicException">Another key, another place, or changed bytes.</exception>
    public byte[] Open(string place, ReadOnlySpan<byte> box) => box.Length > AeadBox.NonceBytes
        ? AeadBox.Open(_sealing, box[..AeadBox.NonceBytes], box[AeadBox.NonceBytes..], Encoding.UTF8.GetBytes(place))
        : throw new CryptographicException("The sealed text is too short.");

    /// <summary>Tells equal texts of one place, and nothing to anyone without the key.</summary>
    public Guid Digest(string place, ReadOnlySpan<byte> plain)
    {
        using var hmac = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, _marking);
        hmac.AppendData(Encoding.UTF8.GetBytes(place));
        hmac.AppendData([0]);
        hmac.AppendData(plain);
        return new Guid(hmac.GetHashAndReset().AsSpan(0, DigestBytes), bigEndian: true);
    }

    public void Dispose()
    {
        CryptographicOperations.ZeroMemory(_sealing);
        CryptographicOperations.ZeroMemory(_marking);
    }
}
