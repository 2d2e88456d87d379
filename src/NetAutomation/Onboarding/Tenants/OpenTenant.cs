using NetAutomation.Billing;
using NetAutomation.Persistence;

namespace NetAutomation.Onboarding.Tenants;

/// <summary>What a subscription says about its buyer.</summary>
/// <param name="LicenseArn">Null for products that are metered by product code.</param>
internal sealed record Subscription(string Account, string ProductCode, string? LicenseArn);

/// <summary>Makes a pending tenant of a subscription. The buyer's account is the first from which it may open endpoints.</summary>
internal static class OpenTenant
{
    public static async Task<(TenantId Tenant, AgreementId Agreement)> Open(SystemDb db, Subscription subscription, CancellationToken cancel)
    {
        var (tenant, agreement) = (TenantId.New(), AgreementId.New());
        var (account, product, license) = subscription;
        await db.Execute($"insert into onboarding.tenant (tenant_id, name, state) values ({tenant.Value}, {$"AWS account {account}"}, 'pending')", cancel);
        await db.Execute(
            $"insert into onboarding.tenant_account (tenant_id, account, proven_by) values ({tenant.Value}, {account}, 'marketplace')", cancel);
        await db.Execute(
            $"""
            insert into onboarding.agreement (tenant_id, id, account, license_arn, product_code, state)
            values ({tenant.Value}, {agreement.Value}, {account}, {license}, {product}, 'pending')
            """,
            cancel);
        return (tenant, agreement);
    }

    /// <summary>The agreement is in force: the tenant may call, also where an earlier one had ended.</summary>
    public static async Task Activate(SystemDb db, TenantId tenant, AgreementId agreement, CancellationToken cancel)
    {
        await db.Execute(
            $"""
            update onboarding.agreement set state = 'active', ended_at = null, version = version + 1
            where tenant_id = {tenant.Value} and id = {agreement.Value} and state <> 'active'
            """,
            cancel);
        if (await db.Execute(
            $"""
            update onboarding.tenant set state = 'active', reads_until = null, changed_at = now()
            where tenant_id = {tenant.Value} and state in ('pending', 'ended')
            """,
            cancel) > 0)
        {
            await BillingAccounts.Stop(db, tenant, stopped: false, cancel);
        }
    }
}
