using System.Security.Cryptography;
using System.Text;
using Amazon.KeyManagementService;
using Amazon.KeyManagementService.Model;
using Amazon.Runtime;
using NetAutomation.Persistence;

namespace NetAutomation.Inventory.Seal;

/// <summary>
/// A symmetric key of AWS KMS, which never leaves it. Tenant and version are the encryption context: KMS decrypts for no other, and AWS
/// CloudTrail names them at each use.
/// </summary>
internal sealed class KmsRootKey(string arn, Lazy<IAmazonKeyManagementService> kms) : IRootKey
{
    public ReadOnlyMemory<byte> Fingerprint { get; } = SHA256.HashData(Encoding.UTF8.GetBytes(arn)).AsMemory(0, IRootKey.FingerprintBytes);

    public async Task<byte[]> Wrap(TenantId tenant, int version, ReadOnlyMemory<byte> key, CancellationToken cancel)
    {
        using var plain = new MemoryStream(key.ToArray(), 0, key.Length, writable: true, publiclyVisible: true);
        try
        {
            var request = new EncryptRequest { KeyId = arn, Plaintext = plain, EncryptionContext = Context(tenant, version) };
            using var blob = (await Ask(calls => calls.EncryptAsync(request, cancel), cancel)).CiphertextBlob;
            return blob.ToArray();
        }
        finally
        {
            CryptographicOperations.ZeroMemory(plain.GetBuffer());
        }
    }

    public async Task<byte[]> Unwrap(TenantId tenant, int version, ReadOnlyMemory<byte> wrapped, CancellationToken cancel)
    {
        using var blob = new MemoryStream(wrapped.ToArray());
        var request = new DecryptRequest { KeyId = arn, CiphertextBlob = blob, EncryptionContext = Context(tenant, version) };
        using var plain = (await Ask(calls => calls.DecryptAsync(request, cancel), cancel)).Plaintext;
        return plain.ToArray();
    }

    private static Dictionary<string, string> Context(TenantId tenant, int version) =>
        new(StringComparer.Ordinal) { ["tenant"] = $"{tenant}", ["version"] = $"{version}" };

    private async Task<T> Ask<T>(Func<IAmazonKeyManagementService, Task<T>> call, CancellationToken cancel)
    {
        try
        {
            return await call(kms.Value);
        }
        catch (Exception fault) when (fault is InvalidCiphertextException or IncorrectKeyException)
        {
            throw new CryptographicException("AWS KMS did not wrap the tenant's key for this tenant and version.", fault);
        }
        catch (Exception fault) when (fault is AmazonServiceException or AmazonClientException or HttpRequestException or TimeoutException
            || (fault is OperationCanceledException && !cancel.IsCancellationRequested))
        {
            // A key that is disabled, or a right that was taken away, is given back by the provider's staff and not by the caller.
            throw new AwayException($"AWS KMS does not answer for {arn}: {fault.Message}", fault);
        }
    }
}
