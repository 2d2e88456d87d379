using System.Security.Cryptography;
using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Inventory.Model;
using NetAutomation.Inventory.Seal;
using NetAutomation.Web;
using NetAutomation.Web.Http;

namespace NetAutomation.Inventory.KeepCredentials;

internal static class ChangeCredential
{
    /// <summary>Renames a credential or rotates its secrets; runs that start later use the new ones.</summary>
    internal static async Task<Results<Ok<CredentialResource>, Problem>> Patch(
        CredentialId id, ChangeCredentialRequest body, [AsParameters] ResourceCall call, TenantKeys keys, TimeProvider clock)
    {
        var another = body.Password is not null;
        return await CredentialResource.Rows.Change(call, id, async credential =>
        {
            another |= body.Username is not null && body.Username != credential.Username;
            using var old = body.HasSecrets ? await Opened(credential, call, keys) : null;
            using var secrets = old is null ? null : body.Over(old);
            credential.Name = body.Name ?? credential.Name;
            credential.Username = body.Username ?? credential.Username;
            credential.EnableLevel = body.EnableLevel ?? credential.EnableLevel;
            if (CredentialRules.Faults(credential.Name, credential.Username, credential.Kind, credential.EnableLevel, secrets)
                is { Count: > 0 } faults)
            {
                return new Problem(Web.Problems.Refused, errors: faults);
            }

            if (secrets is not null)
            {
                using var key = await keys.Current(call.Db, call.Caller.Tenant, call.Cancel);
                credential.Replace(secrets, key, clock.GetUtcNow());
            }

            return new Changed(
                new { credential.Name, credential.Username, credential.EnableLevel, credential.Fingerprint },
                secrets is null ? "credential.changed" : "credential.rotated");
        }, async _ =>
        {
            if (another)
            {
                // What its devices had in place of its password.
                call.Db.SendWithNext($"select from inventory.device where credential_id = {id.Value} order by id for no key update");
                await call.Db.Execute(
                    $"""
                    delete from inventory.device_password p using inventory.device d
                    where (d.tenant_id, d.id) = (p.tenant_id, p.device_id) and d.credential_id = {id.Value}
                    """,
                    call.Cancel);
            }
        });
    }

    private static async Task<LoginSecrets> Opened(Credential credential, ResourceCall call, TenantKeys keys)
    {
        using var key = await keys.Get(call.Db, credential.TenantKeyVersion, call.Cancel);
        var plain = credential.Open(key);
        try
        {
            return LoginSecrets.Unpack(plain);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(plain);
        }
    }

    /// <summary>Removes a credential that no device, schedule or open run uses.</summary>
    internal static Task<Results<NoContent, Problem>> Delete(CredentialId id, [AsParameters] ResourceCall call) =>
        CredentialResource.Rows.Delete(call, id);
}
