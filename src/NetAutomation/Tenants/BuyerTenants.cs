using NetAutomation.Marketplace;
using NetAutomation.Persistence;
using NetAutomation.Tenants.Agreements;
using NetAutomation.Tenants.Lifecycle;

namespace NetAutomation.Tenants;

/// <summary>Finds or makes the tenant of a buyer. Marketplace's notices of the subscription may have come before or come later.</summary>
internal sealed class BuyerTenants(SystemDb db, ApplyEvents events)
{
    /// <summary>In the caller's transaction, which is followed by <see cref="CatchUp"/>.</summary>
    public async Task<TenantId> FindOrOpen(Buyer buyer, CancellationToken cancel)
    {
        var (account, product, license, customer) = buyer;
        // Two clicks at once are one registration.
        var name = $"register/{license ?? $"{account}/{product}"}";
        await db.Execute($"select pg_advisory_xact_lock(hashtextextended({name}, 0))", cancel);
        var known = await db.Query<Known>(
            $"""
            select tenant_id, id, retired_at, ended_at from onboarding.agreement
            where license_arn = {license} or ({license}::text is null and license_arn is null and account = {account} and product_code = {product})
            order by retired_at desc nulls first
            for update
            """,
            cancel);
        TenantId tenant;
        if (known is [{ RetiredAt: null } agreement, ..])
        {
            tenant = new TenantId(agreement.TenantId);
            await db.Execute(
                $"""
                update onboarding.agreement set customer_identifier = coalesce({customer}, customer_identifier), asked_at = case when state <> 'pending' then asked_at end
                where tenant_id = {tenant.Value} and id = {agreement.Id}
                """,
                cancel);
        }
        else
        {
            (tenant, _) = await OpenTenant.Open(db, new Subscription(account, product, license, customer, known.FirstOrDefault()?.EndedAt), cancel);
        }

        await events.Apply(AgreementKey.Of(buyer), cancel);
        return tenant;
    }

    /// <summary>Applies what was stored while the registration was not committed yet: neither side could see the other.</summary>
    public async Task CatchUp(Buyer buyer, CancellationToken cancel)
    {
        await using var transaction = await db.Database.BeginTransactionAsync(cancel);
        await events.Apply(AgreementKey.Of(buyer), cancel);
        await transaction.CommitAsync(cancel);
    }

    private sealed record Known(Guid TenantId, Guid Id, DateTimeOffset? RetiredAt, DateTimeOffset? EndedAt);
}
