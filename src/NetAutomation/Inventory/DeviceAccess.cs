using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text;
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

        await AddPasswords(db, logins, cancel);
        return logins;
    }

    /// <summary>Lets nobody give these devices other credentials, or the credentials another secret, before the transaction ends.</summary>
    public static void Hold(NetAutomationDb db, IReadOnlyCollection<DeviceId> devices)
    {
        // In the order of everybody: credentials, devices, passwords.
        var ids = devices.Select(device => device.Value).ToArray();
        db.SendWithNext(
            $"""
            select from inventory.credential where id in (select credential_id from inventory.device where id = any ({ids}))
            order by id for share
            """);
        db.SendWithNext($"select from inventory.device where id = any ({ids}) order by id for no key update");
    }

    /// <summary>
    /// Keeps a password that a run is about to give these devices, beside the one that they have. None of them has another one pending.
    /// </summary>
    /// <param name="given">Devices that an earlier attempt may have given it.</param>
    public async Task Pend(
        NetAutomationDb db, TenantId tenant, IReadOnlyCollection<DeviceLogin> logins, string user, string password,
        IReadOnlySet<DeviceId> given, CancellationToken cancel = default)
    {
        using var key = await keys.Current(db, tenant, cancel);
        var rows = new List<DevicePassword>(logins.Count);
        foreach (var login in logins)
        {
            var text = new Secret(Encoding.UTF8.GetBytes(password));
            rows.Add(DevicePassword.Seal(tenant, login.DeviceId, text, key));
            var first = login.Pending is null && !given.Contains(login.DeviceId);
            login.Pending?.Text.Dispose();
            login.Pending = new PendingPassword(rows[^1].Id, text) { Given = true, First = first, Own = login.Username == user };
        }

        Guid[] devices = [.. rows.Select(row => row.DeviceId.Value)], ids = [.. rows.Select(row => row.Id)];
        byte[][] texts = [.. rows.Select(row => row.Ct)], nonces = [.. rows.Select(row => row.Nonce)];
        byte[][] wrapped = [.. rows.Select(row => row.WrappedDek)];
        await db.Execute(
            $"""
            insert into inventory.device_password (
              tenant_id, device_id, pending, id, ct, nonce, wrapped_dek, tenant_key_version, alg)
            select {tenant.Value}, d, true, i, t, n, w, {key.Version}, {Envelope.Alg}
            from unnest({devices}, {ids}, {texts}, {nonces}, {wrapped}) as p (d, i, t, n, w)
            on conflict (tenant_id, device_id, pending) do update set id = excluded.id, ct = excluded.ct, nonce = excluded.nonce,
              wrapped_dek = excluded.wrapped_dek, tenant_key_version = excluded.tenant_key_version, alg = excluded.alg
            """,
            cancel);
    }

    /// <summary>
    /// Keeps a pending password in place of the one before, or forgets it. Does nothing where it was given again since, or the customer has
    /// given another credential.
    /// </summary>
    public static void Settle(NetAutomationDb db, TenantId tenant, PasswordVerdict verdict)
    {
        db.SendWithNext(
            $"""
            select from inventory.device d
            where d.tenant_id = {tenant.Value} and d.id = (
              select device_id from inventory.device_password p where p.tenant_id = {tenant.Value} and p.id = {verdict.Id} and p.pending)
            for no key update
            """);
        if (verdict.Holds)
        {
            db.SendWithNext(
                $"""
                delete from inventory.device_password o using inventory.device_password p
                where p.tenant_id = {tenant.Value} and p.id = {verdict.Id} and p.pending
                  and (o.tenant_id, o.device_id) = (p.tenant_id, p.device_id) and not o.pending
                """);
            db.SendWithNext(
                $"""
                update inventory.device_password set pending = false, since = now()
                where tenant_id = {tenant.Value} and id = {verdict.Id} and pending
                """);
        }
        else
        {
            db.SendWithNext(
                $"delete from inventory.device_password where tenant_id = {tenant.Value} and id = {verdict.Id} and pending");
        }
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

    /// <summary>Where a device has a password of its own, it counts in place of the credential's.</summary>
    private async Task AddPasswords(NetAutomationDb db, IReadOnlyCollection<DeviceLogin> logins, CancellationToken cancel)
    {
        var byId = logins.ToDictionary(login => login.DeviceId);
        var ids = byId.Keys.ToList();
        var rows = await db.Set<DevicePassword>().AsNoTracking().Where(row => ids.Contains(row.DeviceId)).ToListAsync(cancel);
        foreach (var group in rows.OrderBy(row => row.Pending).GroupBy(row => row.TenantKeyVersion))
        {
            using var key = await keys.Get(db, group.Key, cancel);
            foreach (var row in group)
            {
                byId[row.DeviceId].Take(row.Id, row.Open(key), row.Pending);
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
