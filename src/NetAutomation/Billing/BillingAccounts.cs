using NetAutomation.Persistence;
using NetAutomation.Web;

namespace NetAutomation.Billing;

/// <summary>Who collects a tenant's money: AWS Marketplace by default, the provider itself by contract.</summary>
public enum BillingChannel
{
    Marketplace,
    Direct,
}

/// <summary>
/// How each tenant is billed. Set by onboarding; a run keeps the channel it was reserved with, a charge the payer it was written for.
/// </summary>
internal static class BillingAccounts
{
    /// <summary>
    /// Sets how the tenant is billed. Where the customer is still metered by another key (product code or licence), the new payer opens
    /// only with its agreement.
    /// </summary>
    public static Task Set(
        SystemDb db, TenantId tenant, BillingChannel channel, string? licenseArn, string? awsAccount, string? productCode,
        CancellationToken cancel) => db.Execute(
        $"""
        with payer as (
          insert into billing.payer (tenant_id, id, product_code, license_arn, aws_account, closed_at)
          select {tenant.Value}, {Guid.CreateVersion7()}, p, {licenseArn}, a, case when exists (
            select from billing.payer o
            where o.aws_account = a and o.product_code = p and (o.license_arn is null) <> ({licenseArn}::text is null)
              and o.closed_at is null) then now() end
          from (values ({productCode}::text, {awsAccount}::text)) as v (p, a)
          where p is not null and a is not null
          on conflict (tenant_id, meter_key, aws_account) do update set product_code = excluded.product_code
          returning id)
        insert into billing.account (tenant_id, channel, license_arn, aws_account, product_code, payer_id)
        values ({tenant.Value}, {Wire.Name(channel)}, {licenseArn}, {awsAccount}, {productCode}, (select id from payer))
        on conflict (tenant_id) do update set channel = excluded.channel, license_arn = excluded.license_arn,
          aws_account = excluded.aws_account, product_code = excluded.product_code,
          payer_id = coalesce(excluded.payer_id, account.payer_id), updated_at = now()
        """,
        cancel);

    /// <summary>AWS Marketplace has the agreement in force: an earlier end of it, or refusal of the customer, no longer counts.</summary>
    public static async Task Activate(
        SystemDb db, TenantId tenant, BillingChannel channel, string? licenseArn, string? awsAccount, string? productCode,
        CancellationToken cancel)
    {
        // A product that went over to concurrent agreements meters by licence from now on.
        await db.Execute(
            $"""
            update billing.payer set closed_at = now()
            where aws_account = {awsAccount} and product_code = {productCode} and (license_arn is null) <> ({licenseArn}::text is null)
              and closed_at is null
            """,
            cancel);
        await Set(db, tenant, channel, licenseArn, awsAccount, productCode, cancel);
        await db.Execute(
            $"""
            update billing.payer p set closed_at = null, refused_at = null, contracts_at = null from billing.account a
            where a.tenant_id = {tenant.Value} and p.tenant_id = a.tenant_id and p.id = a.payer_id
            """,
            cancel);
    }

    /// <summary>
    /// Stops the tenant from starting what costs (by request, schedule or renewal), or lets it again. What was accepted goes on.
    /// </summary>
    public static Task Stop(SystemDb db, TenantId tenant, bool stopped, CancellationToken cancel) => db.Execute(
        $"""
        update billing.account set stopped_at = case when {stopped} then coalesce(stopped_at, now()) end where tenant_id = {tenant.Value}
        """,
        cancel);

    /// <summary>The agreement ended: nothing more is reserved for it, and its last usage is due at once.</summary>
    public static Task Close(
        SystemDb db, TenantId tenant, string? licenseArn, string awsAccount, string productCode, CancellationToken cancel) => db.Execute(
        $"""
        update billing.payer set closed_at = now(), contracts_at = null
        where tenant_id = {tenant.Value} and meter_key = {licenseArn ?? productCode} and aws_account = {awsAccount} and closed_at is null
        """,
        cancel);

    /// <summary>The contract may have changed: AWS is asked for it soon.</summary>
    public static Task ReadContracts(
        SystemDb db, TenantId tenant, string? licenseArn, string awsAccount, string productCode, CancellationToken cancel) => db.Execute(
        $"""
        update billing.payer set contracts_at = null
        where tenant_id = {tenant.Value} and meter_key = {licenseArn ?? productCode} and aws_account = {awsAccount}
        """,
        cancel);

    /// <summary>A person says that the customer is subscribed, although AWS refused it before: it may cause usage again.</summary>
    public static Task Forgive(SystemDb db, TenantId tenant, CancellationToken cancel) =>
        db.Execute($"update billing.payer set refused_at = null where tenant_id = {tenant.Value} and refused_at is not null", cancel);
}
