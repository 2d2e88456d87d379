using NetAutomation.Persistence;

namespace NetAutomation.Tenants.Lifecycle;

/// <summary>A subscription and its buyer.</summary>
/// <param name="LicenseArn">Null for products that are metered by product code.</param>
/// <param name="CustomerIdentifier">The name of the buyer in the events of such products.</param>
/// <param name="Since">The end of an earlier subscription; events until then belong to that one.</param>
internal sealed record Subscription(
    string Account, string ProductCode, string? LicenseArn, string? CustomerIdentifier = null, DateTimeOffset? Since = null);

/// <summary>Makes a pending tenant for a subscription. The buyer's account is the first one from which it may open endpoints.</summary>
internal static class OpenTenant
{
    public static async Task<(TenantId Tenant, AgreementId Agreement)> Open(
        SystemDb db, Subscription subscription, CancellationToken cancel)
    {
        var tenant = TenantId.New();
        await db.Execute(
            $"""
            insert into onboarding.tenant (tenant_id, name, state)
            values ({tenant.Value}, {$"AWS account {subscription.Account}"}, 'pending')
            """,
            cancel);
        await db.Execute(
            $"""
            insert into onboarding.tenant_account (tenant_id, account, proven_by)
            values ({tenant.Value}, {subscription.Account}, 'marketplace')
            """,
            cancel);
        return (tenant, await Add(db, tenant, subscription, cancel));
    }

    public static async Task<AgreementId> Add(SystemDb db, TenantId tenant, Subscription subscription, CancellationToken cancel)
    {
        var agreement = AgreementId.New();
        var (account, product, license, customer, since) = subscription;
        await db.Execute(
            $"""
            insert into onboarding.agreement (tenant_id, id, account, license_arn, product_code, customer_identifier, state, since)
            values ({tenant.Value}, {agreement.Value}, {account}, {license}, {product}, {customer}, 'pending',
                    coalesce({since}::timestamptz, '-infinity'))
            """,
            cancel);
        return agreement;
    }
}
