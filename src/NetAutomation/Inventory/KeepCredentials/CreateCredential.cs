using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Inventory.Model;
using NetAutomation.Inventory.Seal;
using NetAutomation.Web;
using NetAutomation.Web.Http;

namespace NetAutomation.Inventory.KeepCredentials;

internal static class CreateCredential
{
    /// <summary>Adds a login or a secret. The secrets are sealed at once and cannot be read back.</summary>
    internal static async Task<Results<Created<CredentialResource>, Problem>> Handle(
        CreateCredentialRequest body, [AsParameters] ResourceCall call, TenantKeys keys, TimeProvider clock)
    {
        using var secrets = body.Secrets();
        if (CredentialRules.Faults(body.Name, body.Username, body.Kind, body.EnableLevel, secrets) is { Count: > 0 } faults)
        {
            return new Problem(Web.Problems.Refused, errors: faults);
        }

        var credential = new Credential(call.Caller.Tenant, CredentialId.New(), body.Kind, clock.GetUtcNow())
        {
            Name = body.Name, Username = body.Username ?? "", EnableLevel = body.EnableLevel,
        };
        using (var key = await keys.Current(call.Db, call.Caller.Tenant, call.Cancel))
        {
            credential.Replace(secrets, key, clock.GetUtcNow());
        }

        return await CredentialResource.Rows.Create(call, credential, new { credential.Name, credential.Kind, credential.Fingerprint });
    }
}
