using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Persistence;
using NetAutomation.Web;

namespace NetAutomation.Inventory.KeepCredentials;

internal static class ReadCredentials
{
    /// <summary>The tenant's credentials, without their secrets.</summary>
    internal static Task<Results<Ok<Page<CredentialResource>>, Problem>> List(
        [AsParameters] PageQuery page, NetAutomationDb db, CancellationToken cancel) =>
        CredentialResource.Rows.List(page, db, cancel);

    /// <summary>One credential, without its secrets.</summary>
    internal static Task<Results<Ok<CredentialResource>, Problem>> Show(
        CredentialId id, NetAutomationDb db, HttpContext http, CancellationToken cancel) =>
        CredentialResource.Rows.Show(id, db, http, cancel);
}
