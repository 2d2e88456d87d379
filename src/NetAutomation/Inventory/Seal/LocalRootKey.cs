using System.Security.Cryptography;
using System.Text;

namespace NetAutomation.Inventory.Seal;

/// <summary>A root key in a file that only the service's user can read.</summary>
internal sealed class LocalRootKey(string directory) : IRootKey
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private readonly Lazy<byte[]> _key = new(() => Load(directory));

    public ReadOnlyMemory<byte> Fingerprint => HKDF.DeriveKey(
        HashAlgorithmName.SHA256, _key.Value, IRootKey.FingerprintBytes, info: "root-key-fingerprint"u8.ToArray());

    public static bool IsIn(string directory) => File.Exists(PathIn(directory));

    public Task<byte[]> Wrap(TenantId tenant, int version, ReadOnlyMemory<byte> key, CancellationToken cancel)
    {
        var (nonce, ct) = AeadBox.Seal(_key.Value, key.Span, Context(tenant, version));
        return Task.FromResult<byte[]>([.. nonce, .. ct]);
    }

    public Task<byte[]> Unwrap(TenantId tenant, int version, ReadOnlyMemory<byte> wrapped, CancellationToken cancel)
    {
        if (wrapped.Length < AeadBox.NonceBytes)
        {
            throw new CryptographicException("The wrapped key of the tenant is too short.");
        }

        var box = wrapped.Span;
        return Task.FromResult(
            AeadBox.Open(_key.Value, box[..AeadBox.NonceBytes], box[AeadBox.NonceBytes..], Context(tenant, version)));
    }

    private static byte[] Context(TenantId tenant, int version) => Encoding.UTF8.GetBytes($"tenant-key|{tenant}|{version}");

    private static string PathIn(string directory) => Path.Combine(directory, "root.key");

    private static byte[] Load(string directory)
    {
        Directory.CreateDirectory(directory, OwnerOnly | UnixFileMode.UserExecute);
        var path = PathIn(directory);
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
