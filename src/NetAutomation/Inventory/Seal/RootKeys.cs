using System.Security.Cryptography;
using Amazon.KeyManagementService;
using Microsoft.Extensions.Options;

namespace NetAutomation.Inventory.Seal;

/// <summary>
/// The newest root key, which wraps, and those before it, which unwrap what <see cref="RewrapKeys"/> has not wrapped anew yet. A wrapped
/// key starts with the fingerprint of the root key, so that one that is lost or exchanged is named as the cause.
/// </summary>
internal sealed class RootKeys : IHostedService
{
    private readonly IRootKey[] _keys;
    private readonly LocalRootKey? _local;

    public RootKeys(IOptions<InventoryOptions> options, Lazy<IAmazonKeyManagementService> kms)
    {
        var settings = options.Value;
        // Beside KMS it only unwraps what it has wrapped before, and is not made.
        _local = settings.KeyDirectory.Length > 0 && (settings.KmsKeyArn.Length == 0 || LocalRootKey.IsIn(settings.KeyDirectory))
            ? new LocalRootKey(settings.KeyDirectory) : null;
        string[] arns = settings.KmsKeyArn.Length > 0 ? [settings.KmsKeyArn, .. settings.FormerKmsKeyArns] : [];
        _keys = [.. arns.Select(arn => new KmsRootKey(arn, kms)), .. _local is null ? (IRootKey[])[] : [_local]];
    }

    /// <summary>How wrapped keys start that need not be wrapped anew.</summary>
    public ReadOnlyMemory<byte> Newest => _keys[0].Fingerprint;

    public Task StartAsync(CancellationToken cancellationToken)
    {
        // A file that others can read is refused before anybody is served.
        _ = _local?.Fingerprint;
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Wraps a tenant's key of 256 bits.</summary>
    public async Task<byte[]> Wrap(TenantId tenant, int version, ReadOnlyMemory<byte> key, CancellationToken cancel) =>
        [.. Newest.ToArray(), .. await _keys[0].Wrap(tenant, version, key, cancel)];

    /// <summary>The caller zeroes the answer.</summary>
    /// <exception cref="CryptographicException">Not wrapped by one of these root keys for this tenant and version.</exception>
    public Task<byte[]> Unwrap(TenantId tenant, int version, ReadOnlyMemory<byte> wrapped, CancellationToken cancel) =>
        wrapped.Length > IRootKey.FingerprintBytes
            && Array.Find(_keys, each => wrapped.Span.StartsWith(each.Fingerprint.Span)) is { } key
            ? key.Unwrap(tenant, version, wrapped[IRootKey.FingerprintBytes..], cancel)
            : throw new CryptographicException(
                "The tenant's key was wrapped by another root key than those of Inventory:KeyDirectory, KmsKeyArn and FormerKmsKeyArns.");
}
