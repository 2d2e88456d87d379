using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Microsoft.EntityFrameworkCore;
using NetAutomation.Inventory.Model;
using NetAutomation.Inventory.Seal;
using NetAutomation.Persistence;
using NetAutomation.Web;

namespace NetAutomation.Inventory;

/// <summary>The only way to open secrets, within the tenant's transaction.</summary>
internal sealed class DeviceAccess(TenantKeys keys)
{
    /// <summary>Addresses and open secrets of these devices; a device that was deleted meanwhile is missing from the answer.</summary>
    public async Task<IReadOnlyList<DeviceLogin>> Open(
        NetAutomationDb db, IReadOnlyCollection<DeviceId> devices, CancellationToken cancel = default)
    {
        var rows = await db.Set<Device>().AsNoTracking().Where(device => devices.Contains(device.Id)).OrderBy(device => device.Id)
            .ToListAsync(cancel);
        var used = rows.Select(device => device.CredentialId).Distinct().ToList();
        var credentials = await db.Set<Credential>().AsNoTracking().Where(credential => used.Contains(credential.Id)).ToListAsync(cancel);
        var logins = new List<DeviceLogin>(rows.Count);
        await foreach (var (credential, plain) in Opened(db, credentials, cancel))
        {
            logins.AddRange(
                rows.Where(device => device.CredentialId == credential.Id).Select(device => Login(device, credential, plain)));
        }

        return logins;
    }

    /// <summary>
    /// The open texts of these credentials, with their versions; one that is no secret for blocks is missing from the answer. None of them
    /// is deleted before the transaction ends.
    /// </summary>
    public async Task<IReadOnlyDictionary<CredentialId, BlockSecret>> OpenSecrets(
        NetAutomationDb db, IReadOnlyCollection<CredentialId> ids, CancellationToken cancel = default)
    {
        var secrets = new Dictionary<CredentialId, BlockSecret>();
        if (ids.Count == 0)
        {
            return secrets;
        }

        var (wanted, kind) = (ids.Select(id => id.Value).ToArray(), Wire.Name(LoginKind.Secret));
        var rows = await db.Set<Credential>()
            .FromSql($"select * from inventory.credential where id = any ({wanted}) and kind = {kind} order by id for key share")
            .AsNoTracking().ToListAsync(cancel);
        await foreach (var (credential, plain) in Opened(db, rows, cancel))
        {
            secrets[credential.Id] = new BlockSecret(credential.SecretVersion, LoginSecrets.Unpack(plain).Password!);
        }

        return secrets;
    }

    /// <summary>Pins the key that a device showed first. False where another key is pinned.</summary>
    /// <param name="sha256">OpenSSH's form, <c>SHA256:…</c>.</param>
    /// <param name="hostKey">The key as <c>type base64</c>.</param>
    public static async Task<bool> PinHostKey(
        NetAutomationDb db, DeviceId device, string sha256, string hostKey, CancellationToken cancel = default)
    {
        if (hostKey.Split(' ') is not [_, var blob, ..]
            || $"SHA256:{Convert.ToBase64String(SHA256.HashData(Convert.FromBase64String(blob))).TrimEnd('=')}" != sha256)
        {
            throw new ArgumentException("The fingerprint is not the key's.", nameof(hostKey));
        }

        return await db.Execute(
            $"""
            update inventory.device
            set version = version + case when host_key_sha256 is null then 1 else 0 end, host_key_sha256 = {sha256}, host_key = {hostKey}
            where id = {device.Value} and (host_key_sha256 is null or host_key_sha256 = {sha256})
            """,
            cancel) == 1;
    }

    /// <summary>Each credential with its plain bytes, which are zeroed before the next one.</summary>
    private async IAsyncEnumerable<(Credential Credential, byte[] Plain)> Opened(
        NetAutomationDb db, List<Credential> credentials, [EnumeratorCancellation] CancellationToken cancel)
    {
        foreach (var group in credentials.GroupBy(credential => credential.TenantKeyVersion))
        {
            using var key = await keys.Get(db, group.Key, cancel);
            foreach (var credential in group)
            {
                var plain = credential.Open(key);
                yield return (credential, plain);
                CryptographicOperations.ZeroMemory(plain);
            }
        }
    }

    private static DeviceLogin Login(Device device, Credential credential, byte[] plain)
    {
        var secrets = LoginSecrets.Unpack(plain);
        return new DeviceLogin(
            device.Id, device.Name, device.SiteId, device.Address, device.Port, device.Platform, device.ConnectionOptions,
            credential.Username, secrets.Password, secrets.PrivateKey, secrets.Passphrase, secrets.Enable, secrets.Answers,
            Enables: credential.Kind == LoginKind.Enable, credential.EnableLevel, HostKeySha256: device.HostKeySha256,
            HostKey: device.HostKey);
    }
}
