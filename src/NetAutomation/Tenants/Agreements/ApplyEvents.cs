using NetAutomation.Billing;
using NetAutomation.Marketplace;
using NetAutomation.Persistence;
using NetAutomation.Tenants.Lifecycle;
using NetAutomation.Web;

namespace NetAutomation.Tenants.Agreements;

/// <summary>What an event, a buyer or an agreement is known by.</summary>
internal sealed record AgreementKey(string? LicenseArn, string? AgreementId, string? ProductCode, string? Account, string? CustomerIdentifier)
{
    public static AgreementKey Of(LifecycleEvent each) => new(each.LicenseArn, each.AgreementId, each.ProductCode, each.Account, each.CustomerIdentifier);

    public static AgreementKey Of(Buyer buyer) => new(buyer.LicenseArn, null, buyer.ProductCode, buyer.Account, buyer.CustomerIdentifier);
}

/// <summary>
/// Stores what AWS Marketplace says and makes agreements what all of it says together (<see cref="AgreementFold"/>). What fits no agreement
/// yet stays stored until one is there, and what no longer fits the state is no harm.
/// </summary>
internal sealed class ApplyEvents(SystemDb db, TenantState state)
{
    public Task Store(LifecycleEvent received, CancellationToken cancel) => db.Execute(
        $"""
        insert into onboarding.marketplace_event (id, kind, at, status, license_arn, agreement_id, account, customer_identifier, product_code, body)
        values ({received.Id}, {received.Name}, {received.At}, {received.Status}, {received.LicenseArn}, {received.AgreementId}, {received.Account},
                {received.CustomerIdentifier}, {received.ProductCode}, {received.Body})
        on conflict (id) do nothing
        """,
        cancel);

    /// <summary>
    /// Computes anew each agreement that is meant; nothing where there is none yet. In the caller's transaction. True where one ended or is
    /// ending, whose last usage is due at once.
    /// </summary>
    public async Task<bool> Apply(AgreementKey key, CancellationToken cancel)
    {
        // An agreement event names no licence: which ones it is about, the licence events say.
        var found = await db.Query<Row>(
            $"""
            select tenant_id, id, account, customer_identifier, license_arn, product_code, agreement_id, state, channel, activated_at, ended_at, last_event_at, by_contract, since
            from onboarding.agreement
            where retired_at is null and id in (
              select id from onboarding.agreement where license_arn = {key.LicenseArn}
              union all select id from onboarding.agreement where agreement_id = {key.AgreementId}
              union all select a.id from onboarding.marketplace_event e join onboarding.agreement a on a.license_arn = e.license_arn where e.agreement_id = {key.AgreementId}
              union all select id from onboarding.agreement where license_arn is null and product_code = {key.ProductCode} and account = {key.Account}
              union all select id from onboarding.agreement where license_arn is null and product_code = {key.ProductCode} and customer_identifier = {key.CustomerIdentifier})
            order by id for update
            """,
            cancel);
        var due = false;
        foreach (var agreement in found)
        {
            due |= await Apply(agreement, cancel);
        }

        return due;
    }

    /// <summary>
    /// Agreements of which something is stored that was never counted: it came while their registration was not committed yet. The oldest
    /// first, and only what <see cref="Apply(Row, CancellationToken)"/> would count, else it would come again for ever.
    /// </summary>
    public Task<List<AgreementKey>> Left(CancellationToken cancel) => db.Query<AgreementKey>(
        $"""
        with left_over as (select license_arn, agreement_id, product_code, account, customer_identifier, received_at from onboarding.marketplace_event where applied_at is null),
        there as (select license_arn, agreement_id, product_code, account, customer_identifier from onboarding.agreement where retired_at is null),
        meant as (
          select e.* from left_over e join there a on a.license_arn = e.license_arn
          union all select e.* from left_over e join there a on a.agreement_id = e.agreement_id where e.license_arn is null
          union all select e.* from left_over e join onboarding.marketplace_event l on l.agreement_id = e.agreement_id join there a on a.license_arn = l.license_arn
            where e.license_arn is null
          union all select e.* from left_over e join there a on a.license_arn is null and a.product_code = e.product_code and a.account = e.account
            where e.license_arn is null
          union all select e.* from left_over e join there a on a.license_arn is null and a.product_code = e.product_code and a.customer_identifier = e.customer_identifier
            where e.license_arn is null)
        select license_arn, agreement_id, product_code, account, customer_identifier from meant group by 1, 2, 3, 4, 5 order by min(received_at)
        limit 1000
        """,
        cancel);

    private async Task<bool> Apply(Row agreement, CancellationToken cancel)
    {
        var stored = await db.Query<Stored>(
            $"""
            select id, kind, status, at, agreement_id, applied_at is not null as applied from onboarding.marketplace_event where id in (
              select id from onboarding.marketplace_event where license_arn = {agreement.LicenseArn}
              union all select id from onboarding.marketplace_event where license_arn is null and agreement_id = {agreement.AgreementId}
              union all select e.id from onboarding.marketplace_event l join onboarding.marketplace_event e on e.agreement_id = l.agreement_id and e.license_arn is null
                where l.license_arn = {agreement.LicenseArn}
              union all select id from onboarding.marketplace_event
                where {agreement.LicenseArn}::text is null and license_arn is null and product_code = {agreement.ProductCode} and account = {agreement.Account}
              union all select id from onboarding.marketplace_event
                where {agreement.LicenseArn}::text is null and license_arn is null and product_code = {agreement.ProductCode} and customer_identifier = {agreement.CustomerIdentifier})
            """,
            cancel);
        var fresh = stored.Where(each => !each.Applied).Select(each => each.Id).ToArray();
        await db.Execute($"update onboarding.marketplace_event set applied_at = now() where id = any ({fresh})", cancel);
        var fold = AgreementFold.Of(stored.Where(each => each.At > agreement.Since).Select(
            each => new Heard(each.Id, LifecycleEvent.KindOf(each.Kind, each.Status), each.At, each.AgreementId, each.Kind == LifecycleEvent.Listed)));
        var (tenant, id) = (new TenantId(agreement.TenantId), new AgreementId(agreement.Id));
        var changed = await db.Execute(
            $"""
            update onboarding.agreement set state = {fold.State}, agreement_id = {fold.AgreementId}, activated_at = {fold.ActivatedAt}, ending_at = {fold.EndingAt}, ended_at = {fold.EndedAt},
              last_event_at = {fold.AmendedAt}, by_contract = {fold.ByContract}, asked_at = case when last_event_at is distinct from {fold.AmendedAt} then null else asked_at end,
              version = version + 1
            where tenant_id = {agreement.TenantId} and id = {agreement.Id}
              and (state, agreement_id, activated_at, ending_at, ended_at, last_event_at, by_contract)
                is distinct from ({fold.State}, {fold.AgreementId}, {fold.ActivatedAt}, {fold.EndingAt}, {fold.EndedAt}, {fold.AmendedAt}, {fold.ByContract})
            """,
            cancel);
        if (changed == 0)
        {
            return false;
        }

        // Before what is locked of its billing, as everyone does who settles a tenant.
        await db.Execute($"select from onboarding.tenant where tenant_id = {tenant.Value} for update", cancel);
        await Bill(agreement, fold, tenant, cancel);
        await state.Settle(tenant, cancel);
        if (fold.State != agreement.State)
        {
            await new AuditLog(db).Append(
                tenant, "marketplace", "AWS Marketplace", null, $"agreement.{(fold.State == AgreementFold.Active ? "activated" : fold.State)}", $"{id}",
                new { agreementId = fold.AgreementId, at = fold.EndedAt ?? fold.ActivatedAt }, cancel);
        }

        return fold.State is AgreementFold.Ending or AgreementFold.Ended && fold.State != agreement.State;
    }

    private async Task Bill(Row agreement, AgreementFold fold, TenantId tenant, CancellationToken cancel)
    {
        var (license, account, product) = (agreement.LicenseArn, agreement.Account, agreement.ProductCode);
        if (fold.State != AgreementFold.Active && fold.ActivatedAt is not null && fold.ActivatedAt != agreement.ActivatedAt)
        {
            // It was in force and is over: that takes nothing from a payer that is.
            await BillingAccounts.Set(db, tenant, agreement.Channel, license, account, product, cancel);
        }
        else if (fold.State == AgreementFold.Active && (fold.ActivatedAt != agreement.ActivatedAt || agreement.State != AgreementFold.Active))
        {
            await BillingAccounts.Activate(db, tenant, agreement.Channel, license, account, product, cancel);
        }
        else if (fold.AmendedAt != agreement.LastEventAt)
        {
            await BillingAccounts.ReadContracts(db, tenant, license, account, product, cancel);
        }

        if (fold.State is AgreementFold.Ending or AgreementFold.Ended)
        {
            await BillingAccounts.Close(db, tenant, license, account, product, cancel);
        }

        // Of several agreements in force the newest pays, and after all of them the newest owes what is left.
        var paying = await db.Query<Payer>(
            $"""
            select channel, license_arn, account, product_code from onboarding.agreement
            where tenant_id = {tenant.Value} and activated_at is not null order by state = 'active' desc, activated_at desc, id desc limit 1
            """,
            cancel);
        if (paying is [var newest])
        {
            await BillingAccounts.Set(db, tenant, newest.Channel, newest.LicenseArn, newest.Account, newest.ProductCode, cancel);
        }
    }

    private sealed record Row(
        Guid TenantId, Guid Id, string Account, string? CustomerIdentifier, string? LicenseArn, string ProductCode, string? AgreementId, string State, BillingChannel Channel,
        DateTimeOffset? ActivatedAt, DateTimeOffset? EndedAt, DateTimeOffset? LastEventAt, bool ByContract, DateTimeOffset Since);

    private sealed record Payer(BillingChannel Channel, string? LicenseArn, string Account, string ProductCode);

    private sealed record Stored(string Id, string Kind, string? Status, DateTimeOffset At, string? AgreementId, bool Applied);
}
