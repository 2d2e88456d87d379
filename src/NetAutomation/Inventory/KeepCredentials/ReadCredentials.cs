using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.EntityFrameworkCore;
using NetAutomation.Inventory.Model;
using NetAutomation.Persistence;
using NetAutomation.Web;
using NetAutomation.Web.Http;

namespace NetAutomation.Inventory.KeepCredentials;

internal static class ReadCredentials
{
    /// <summary>The tenant's credentials, without their secrets.</summary>
    internal static async Task<Results<Ok<Page<CredentialResource>>, Problem>> List([AsParameters] PageQuery page, NetAutomationDb db, CancellationToken cancel)
    {
        var read = await page.Read(
            "credentials",
            (below, count) => db.Set<Credential>().AsNoTracking().Below(below).Take(count)
                .Select(row => new CredentialResource(row.Id, row.Name, row.Username, row.Kind, row.Fingerprint, row.CreatedAt, row.RotatedAt)).ToListAsync(cancel),
            credential => credential.Id.Value);
        return read.Refused(out var problem, out var found) ? problem : TypedResults.Ok(found);
    }

    /// <summary>One credential, without its secrets.</summary>
    internal static async Task<Results<Ok<CredentialResource>, Problem>> Show(CredentialId id, NetAutomationDb db, HttpContext http, CancellationToken cancel)
    {
        if (await db.Set<Credential>().AsNoTracking().FirstOrDefaultAsync(row => row.Id == id, cancel) is not { } credential)
        {
            return Web.Problems.NotFound.With();
        }

        ETags.Show(http, credential.Version);
        return TypedResults.Ok(CredentialResource.Of(credential));
    }

    private static IQueryable<Credential> Below(this IQueryable<Credential> credentials, Guid? below)
    {
        if (below is { } id)
        {
            var last = new CredentialId(id);
            credentials = credentials.Where(credential => credential.Id.CompareTo(last) < 0);
        }

        return credentials.OrderByDescending(credential => credential.Id);
    }
}
