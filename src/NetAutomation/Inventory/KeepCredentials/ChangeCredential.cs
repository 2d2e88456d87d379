using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.EntityFrameworkCore;
using NetAutomation.Inventory.Model;
using NetAutomation.Inventory.Seal;
using NetAutomation.Inventory.Storage;
using NetAutomation.Persistence;
using NetAutomation.Web;
using NetAutomation.Web.Http;

namespace NetAutomation.Inventory.KeepCredentials;

internal static class ChangeCredential
{
    /// <summary>Renames a login or rotates its secrets; runs that start later use the new ones.</summary>
    internal static async Task<Results<Ok<CredentialResource>, Problem>> Patch(
        CredentialId id,
        ChangeCredentialRequest body,
        Caller caller,
        NetAutomationDb db,
        TenantKeys keys,
        AuditLog audit,
        TimeProvider time,
        HttpContext http,
        CancellationToken cancel)
    {
        using var secrets = body.Secrets();
        if (await db.Set<Credential>().FirstOrDefaultAsync(row => row.Id == id, cancel) is not { } credential)
        {
            return Web.Problems.NotFound.With();
        }

        if (ETags.Check(http, credential.Version) is { } stale)
        {
            return stale;
        }

        credential.Name = body.Name ?? credential.Name;
        credential.Username = body.Username ?? credential.Username;
        if (CredentialRules.Faults(credential.Name, credential.Username, credential.Kind, secrets) is { Count: > 0 } faults)
        {
            return new Problem(Web.Problems.Refused, errors: faults);
        }

        if (secrets is not null)
        {
            using var key = await keys.Current(db, caller.Tenant, cancel);
            credential.Replace(secrets, key, time.GetUtcNow());
        }

        credential.Version++;
        if (await db.Save(Problems.CredentialInUse, cancel) is { } problem)
        {
            return problem;
        }

        var action = secrets is null ? "credential.changed" : "credential.rotated";
        await audit.Append(caller, action, $"{id}", new { credential.Name, credential.Username, credential.Fingerprint }, cancel);
        ETags.Show(http, credential.Version);
        return TypedResults.Ok(CredentialResource.Of(credential));
    }

    /// <summary>Removes a login that no device uses.</summary>
    internal static async Task<Results<NoContent, Problem>> Delete(
        CredentialId id, Caller caller, NetAutomationDb db, AuditLog audit, HttpContext http, CancellationToken cancel)
    {
        if (await db.Set<Credential>().FirstOrDefaultAsync(row => row.Id == id, cancel) is not { } credential)
        {
            return Web.Problems.NotFound.With();
        }

        if (ETags.Check(http, credential.Version) is { } stale)
        {
            return stale;
        }

        db.Remove(credential);
        if (await db.Save(Problems.CredentialInUse, cancel) is { } problem)
        {
            return problem;
        }

        await audit.Append(caller, "credential.deleted", $"{id}", new { credential.Name }, cancel);
        return TypedResults.NoContent();
    }
}
