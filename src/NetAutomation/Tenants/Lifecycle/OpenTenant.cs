using NetAutomation.Persistence;

namespace NetAutomation.Tenants.Lifecycle;

/// <summary>What a subscription says about its buyer.</summary>
/// <param name="LicenseArn">Null for products that are metered by product code.</param>
/// <param name="CustomerIdentifier">How the notices of such products name the buyer.</param>
/// <param name="Since">The end of an earlier subscription: what happened until then belongs to that one.</param>
internal sealed record Subscription(
    string Account, string ProductCode, string? LicenseArn, string? CustomerIdentifier = null, DateTimeOffset? Since = null);

/// <summary>Makes a pending tenant of a subscription. The buyer's account is the first from which it may open endpoints.</summary>
internal static class OpenTenant
{
    public static async Task<(TenantId Tenant, AgreementId Agreement)> Open(
        SystemDb db, Subscription subscription, CancellationToken cancel)
    {
        var tenant = TenantId.New();
        await db.Execute($"insert into onboarding.tenant (tenant_id, name, state) values ({tenant.Value}, {$"AWS account {subscription.Account}"}, 'pending')", cancel);
        await db.Execute(
            $"insert into onboarding.tenant_account (tenant_id, account, proven_by) values ({tenant.Value}, {subscription.Account}, 'marketplace')", cancel);
        return (tenant, await Add(db, tenant, subscription, cancel));
    }

    public static async Task<AgreementId> Add(SystemDb db, TenantId tenant, Subscription subscription, CancellationToken cancel)
    {
        var agreement = AgreementId.New();
        var (account, product, license, customer, since) = subscription;
        await db.Execute(
            $"""
            insert into onboarding.agreement (tenant_id, id, account, license_arn, product_code, customer_identifier, state, since)
            values ({tenant.Value}, {agreement.Value}, {account}, {license}, {product}, {customer}, 'pending', coalesce({since}::timestamptz, '-infinity'))
            """,
            cancel);
        return agreement;
    }

    /// <summary>As if AWS Marketplace had confirmed the agreement; for tenants that come by another way.</summary>
    public static async Task Activate(SystemDb db, TenantId tenant, AgreementId agreement, CancellationToken cancel)
    {
        await db.Execute(
            $"update onboarding.agreement set state = 'active', activated_at = now() where tenant_id = {tenant.Value} and id = {agreement.Value}", cancel);
        await db.Execute($"update onboarding.tenant set state = 'active', changed_at = now() where tenant_id = {tenant.Value}", cancel);
    }
}
