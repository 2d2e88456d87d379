using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Options;

namespace NetAutomation.Inventory.Seal;

/// <summary>
/// A root key in a file that only the service's user can read. Wrapped keys start with the root key's fingerprint, so that a lost or
/// exchanged file is named as the cause.
/// </summary>
internal sealed class LocalRootKey(IOptions<InventoryOptions> options) : IHostedService
{
    private const int FingerprintBytes = 8;
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private readonly Lazy<byte[]> _key = new(() => Load(options.Value.KeyDirectory));

    public Task StartAsync(CancellationToken cancellationToken)
    {
        _ = _key.Value;
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Wraps a tenant's key of 256 bits.</summary>
    public byte[] Wrap(TenantId tenant, int version, ReadOnlySpan<byte> key)
    {
        var (nonce, ct) = AeadBox.Seal(_key.Value, key, Context(tenant, version));
        return [.. Fingerprint(), .. nonce, .. ct];
    }

    /// <summary>The caller zeroes the answer.</summary>
    /// <exception cref="CryptographicException">Not wrapped by this root key for this tenant and version.</exception>
    public byte[] Unwrap(TenantId tenant, int version, ReadOnlySpan<byte> wrapped)
    {
        if (wrapped.Length < FingerprintBytes + AeadBox.NonceBytes || !wrapped[..FingerprintBytes].SequenceEqual(Fingerprint()))
        {
            throw new CryptographicException("The tenant's key was wrapped by another root key than the one in Inventory:KeyDirectory.");
        }

        var box = wrapped[FingerprintBytes..];
        return AeadBox.Open(_key.Value, box[..AeadBox.NonceBytes], box[AeadBox.NonceBytes..], Context(tenant, version));
    }

    private static byte[] Context(TenantId tenant, int version) => Encoding.UTF8.GetBytes($"tenant-key|{tenant}|{version}");

    private ReadOnlySpan<byte> Fingerprint() =>
        HKDF.DeriveKey(HashAlgorithmName.SHA256, _key.Value, FingerprintBytes, info: "root-key-fingerprint"u8.ToArray());

    private static byte[] Load(string directory)
    {
        Directory.CreateDirectory(directory, OwnerOnly | UnixFileMode.UserExecute);
        var path = Path.Combine(directory, "root.key");
        if (!File.Exists(path))
        {
            Create(path);
        }

        SpinWait.SpinUntil(() => new FileInfo(path).Length == AeadBox.KeyBytes, TimeSpan.FromSeconds(5));
        if ((File.GetUnixFileMode(path) & ~OwnerOnly) != UnixFileMode.None)
        {
            throw new InvalidOperationException($"{path} can be read by others than its owner: set its mode to 0600.");
        }

        var key = File.ReadAllBytes(path);
        return key.Length == AeadBox.KeyBytes
            ? key : throw new InvalidOperationException($"{path} is not a key of {AeadBox.KeyBytes} bytes.");
    }

    /// <summary>The one process that creates the file writes the key; the others wait until it is whole.</summary>
    private static void Create(string path)
    {
        try
        {
            using var file =
                new FileStream(
                    path, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = OwnerOnly });
            var key = RandomNumberGenerator.GetBytes(AeadBox.KeyBytes);
            file.Write(key);
            file.Flush(flushToDisk: true);
            CryptographicOperations.ZeroMemory(key);
        }
        catch (IOException) when (File.Exists(path))
        {
            // Another process created the file first; its key is used.
        }
    }
}
