using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Inventory.Model;
using NetAutomation.Inventory.Seal;
using NetAutomation.Inventory.Storage;
using NetAutomation.Persistence;
using NetAutomation.Web;
using NetAutomation.Web.Http;

namespace NetAutomation.Inventory.KeepCredentials;

internal static class CreateCredential
{
    /// <summary>Adds a login. The secrets are sealed at once and cannot be read back.</summary>
    internal static async Task<Results<Created<CredentialResource>, Problem>> Handle(
        CreateCredentialRequest body, Caller caller, NetAutomationDb db, TenantKeys keys, AuditLog audit, TimeProvider time, HttpContext http, CancellationToken cancel)
    {
        using var secrets = body.Secrets();
        if (CredentialRules.Faults(body.Name, body.Username, body.Kind, secrets) is { Count: > 0 } faults)
        {
            return new Problem(Web.Problems.Refused, errors: faults);
        }

        var credential = new Credential
        {
            TenantId = caller.Tenant,
            Id = CredentialId.New(),
            Name = body.Name,
            Username = body.Username,
            Kind = body.Kind,
            CreatedAt = time.GetUtcNow(),
        };
        using (var key = await keys.Current(db, caller.Tenant, cancel))
        {
            credential.Replace(secrets, key, time.GetUtcNow());
        }

        db.Add(credential);
        if (await db.Save(Problems.CredentialInUse, cancel) is { } problem)
        {
            return problem;
        }

        await audit.Append(caller, "credential.created", $"{credential.Id}", new { credential.Name, credential.Kind, credential.Fingerprint }, cancel);
        ETags.Show(http, credential.Version);
        return TypedResults.Created($"/v1/credentials/{credential.Id}", CredentialResource.Of(credential));
    }
}
