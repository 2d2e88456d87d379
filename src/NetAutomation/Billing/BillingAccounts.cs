using NetAutomation.Persistence;
using NetAutomation.Platform;

namespace NetAutomation.Billing;

/// <summary>Who collects a tenant's money: AWS Marketplace by default, the provider itself by contract.</summary>
public enum BillingChannel
{
    Marketplace,
    Direct,
}

/// <summary>How each tenant is billed. Set by onboarding; a run keeps the channel it was reserved with.</summary>
internal static class BillingAccounts
{
    public static Task Set(
        SystemDb db, TenantId tenant, BillingChannel channel, string? licenseArn, string? awsAccount, string? productCode, CancellationToken cancel)
    {
        var name = Wire.Name(channel);
        return db.Execute(
            $"""
            insert into billing.account (tenant_id, channel, license_arn, aws_account, product_code)
            values ({tenant.Value}, {name}, {licenseArn}, {awsAccount}, {productCode})
            on conflict (tenant_id) do update set channel = excluded.channel, license_arn = excluded.license_arn,
              aws_account = excluded.aws_account, product_code = excluded.product_code, updated_at = now()
            """,
            cancel);
    }
}
