using NetAutomation.Marketplace;
using NetAutomation.Persistence;
using NetAutomation.Tenants.Agreements;
using NetAutomation.Tenants.Lifecycle;

namespace NetAutomation.Tenants;

/// <summary>Finds or makes the tenant of a buyer. Marketplace's events of the subscription may come before or after it.</summary>
internal sealed class BuyerTenants(SystemDb db, ApplyEvents events)
{
    /// <summary>In the caller's transaction. Call <see cref="CatchUp"/> after its commit.</summary>
    public async Task<TenantId> FindOrOpen(Buyer buyer, CancellationToken cancel)
    {
        var (account, product, license, customer) = buyer;
        // Two clicks at the same time make one registration.
        var name = $"register/{license ?? $"{account}/{product}"}";
        await db.Execute($"select pg_advisory_xact_lock(hashtextextended({name}, 0))", cancel);
        var known = await Agreements(buyer, cancel);
        TenantId tenant;
        AgreementId id;
        if (known is [{ RetiredAt: null } agreement, ..])
        {
            (tenant, id) = (agreement.TenantId, agreement.Id);
            await db.Execute(
                $"""
                update onboarding.agreement set customer_identifier = coalesce({customer}, customer_identifier),
                  asked_at = case when state <> 'pending' then asked_at end
                where tenant_id = {tenant.Value} and id = {id.Value}
                """,
                cancel);
        }
        else
        {
            (tenant, id) =
                await OpenTenant.Open(db, new Subscription(account, product, license, customer, known.FirstOrDefault()?.EndedAt), cancel);
        }

        await events.Apply(id, cancel);
        return tenant;
    }

    /// <summary>
    /// Applies the events that were stored before the registration was committed, when neither transaction saw the other.
    /// </summary>
    public async Task CatchUp(Buyer buyer, CancellationToken cancel)
    {
        await using var transaction = await db.Database.BeginTransactionAsync(cancel);
        foreach (var agreement in (await Agreements(buyer, cancel)).Where(each => each.RetiredAt is null))
        {
            await events.Apply(agreement.Id, cancel);
        }

        await transaction.CommitAsync(cancel);
    }

    /// <summary>The one that is not retired comes first.</summary>
    private Task<List<Known>> Agreements(Buyer buyer, CancellationToken cancel) => db.Query<Known>(
        $"""
        select tenant_id, id, retired_at, ended_at from onboarding.agreement
        where license_arn = {buyer.LicenseArn}
          or ({buyer.LicenseArn}::text is null and license_arn is null and account = {buyer.Account} and product_code = {buyer.ProductCode})
        order by retired_at desc nulls first
        for update
        """,
        cancel);

    private sealed record Known(TenantId TenantId, AgreementId Id, DateTimeOffset? RetiredAt, DateTimeOffset? EndedAt);
}
