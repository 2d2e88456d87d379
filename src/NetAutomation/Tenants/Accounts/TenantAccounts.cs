using NetAutomation.Persistence;

namespace NetAutomation.Tenants.Accounts;

/// <summary>The AWS accounts from which a tenant may open endpoints.</summary>
internal static class TenantAccounts
{
    /// <summary>Returns how many were removed. An account that was removed opens no more endpoints for the tenant.</summary>
    /// <param name="account">All of the tenant's where null.</param>
    public static Task<int> Remove(NetAutomationDb db, TenantId tenant, string? account, CancellationToken cancel) => db.Execute(
        $"""
        update onboarding.tenant_account set active = false, removed_at = now(), allowed_at = null
        where tenant_id = {tenant.Value} and active and ({account}::text is null or account = {account})
        """,
        cancel);
}
