using NetAutomation.Billing;
using NetAutomation.Marketplace;
using NetAutomation.Persistence;
using NetAutomation.Tenants.Lifecycle;
using NetAutomation.Web;

namespace NetAutomation.Tenants.Agreements;

/// <summary>
/// Stores the events of AWS Marketplace and computes agreements from all their stored events (<see cref="AgreementFold"/>). An event that
/// concerns no agreement yet stays stored until there is one. An event that no longer applies is ignored.
/// </summary>
internal sealed class ApplyEvents(SystemDb db, TenantState state, TenantDirectory directory)
{
    public Task Store(LifecycleEvent received, CancellationToken cancel) => db.Execute(
        $"""
        insert into onboarding.marketplace_event
          (id, kind, at, status, license_arn, agreement_id, account, customer_identifier, product_code, body)
        values
          ({received.Id}, {received.Name}, {received.At}, {received.Status}, {received.LicenseArn}, {received.AgreementId},
           {received.Account}, {received.CustomerIdentifier}, {received.ProductCode}, {received.Body})
        on conflict (id) do nothing
        """,
        cancel);

    /// <summary>
    /// Computes each agreement again that a stored event concerns, in the caller's transaction. True where one ended or is ending: its last
    /// usage must be reported at once.
    /// </summary>
    public Task<bool> Apply(string eventId, CancellationToken cancel) =>
        ApplyWhere($"id in (select agreement from onboarding.event_agreement where event = {eventId})", cancel);

    /// <summary>Computes one agreement again, in the caller's transaction.</summary>
    public Task Apply(AgreementId agreement, CancellationToken cancel) => ApplyWhere($"id = {agreement.Value}", cancel);

    /// <summary>
    /// Agreements with a stored event that was not applied, because it came before their registration was committed. The oldest event comes
    /// first.
    /// </summary>
    public Task<List<AgreementId>> Left(CancellationToken cancel) => db.Query<AgreementId>(
        $"""
        select a.id from onboarding.marketplace_event e
          join onboarding.event_agreement c on c.event = e.id join onboarding.agreement a on a.id = c.agreement
        where e.applied_at is null and a.retired_at is null
        group by a.id order by min(e.received_at) limit 1000
        """,
        cancel);

    private async Task<bool> ApplyWhere(FormattableString condition, CancellationToken cancel)
    {
        var agreements = await db.Query<Row>(
            $"""
            select tenant_id, id, account, license_arn, product_code, state, channel, activated_at, last_event_at, since
            from onboarding.agreement where retired_at is null and {condition} order by id for update
            """,
            cancel);
        var isEnding = false;
        foreach (var agreement in agreements)
        {
            isEnding |= await Apply(agreement, cancel);
        }

        return isEnding;
    }

    private async Task<bool> Apply(Row agreement, CancellationToken cancel)
    {
        var stored = await db.Query<Stored>(
            $"""
            select id, kind, status, at, agreement_id, applied_at is not null as applied from onboarding.marketplace_event
            where id in (select event from onboarding.event_agreement where agreement = {agreement.Id.Value})
            """,
            cancel);
        var fresh = stored.Where(each => !each.Applied).Select(each => each.Id).ToArray();
        await db.Execute($"update onboarding.marketplace_event set applied_at = now() where id = any ({fresh})", cancel);
        var fold = AgreementFold.Of(stored.Where(each => each.At > agreement.Since).Select(
            each =>
                new AgreementEvent(
                    each.Id, LifecycleEvent.KindOf(each.Kind, each.Status), each.At, each.AgreementId,
                    each.Kind == LifecycleEvent.Listed)));
        var (tenant, id) = (agreement.TenantId, agreement.Id);
        var changed = await db.Execute(
            $"""
            update onboarding.agreement set
              state = {fold.State}, agreement_id = {fold.AgreementId}, activated_at = {fold.ActivatedAt}, ending_at = {fold.EndingAt},
              ended_at = {fold.EndedAt}, last_event_at = {fold.AmendedAt}, by_contract = {fold.ByContract},
              asked_at = case when last_event_at is distinct from {fold.AmendedAt} then null else asked_at end, version = version + 1
            where tenant_id = {tenant.Value} and id = {id.Value}
              and (state, agreement_id, activated_at, ending_at, ended_at, last_event_at, by_contract) is distinct from
                ({fold.State}, {fold.AgreementId}, {fold.ActivatedAt}, {fold.EndingAt}, {fold.EndedAt}, {fold.AmendedAt}, {fold.ByContract})
            """,
            cancel);
        if (changed == 0)
        {
            return false;
        }

        // Lock the tenant before its billing, in the order of every transaction that settles a tenant.
        await db.Execute($"select from onboarding.tenant where tenant_id = {tenant.Value} for update", cancel);
        await Bill(agreement, fold, tenant, cancel);
        await state.Settle(tenant, cancel);
        db.AfterCommit.Add(() => directory.Forget(tenant));
        if (fold.State != agreement.State)
        {
            await new AuditLog(db).Append(
                tenant, "marketplace", "AWS Marketplace", null,
                $"agreement.{(fold.State == AgreementFold.Active ? "activated" : fold.State)}", $"{id}",
                new { agreementId = fold.AgreementId, at = fold.EndedAt ?? fold.ActivatedAt }, cancel);
        }

        return fold.State is AgreementFold.Ending or AgreementFold.Ended && fold.State != agreement.State;
    }

    private async Task Bill(Row agreement, AgreementFold fold, TenantId tenant, CancellationToken cancel)
    {
        var (license, account, product) = (agreement.LicenseArn, agreement.Account, agreement.ProductCode);
        if (fold.State != AgreementFold.Active && fold.ActivatedAt is not null && fold.ActivatedAt != agreement.ActivatedAt)
        {
            // It was in force and is over. This must not end the billing of another agreement that pays.
            await BillingAccounts.Set(db, tenant, agreement.Channel, license, account, product, cancel);
        }
        else if (
            fold.State == AgreementFold.Active && (fold.ActivatedAt != agreement.ActivatedAt || agreement.State != AgreementFold.Active))
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

        // Of several agreements in force, the newest pays. When all have ended, the newest owes the rest.
        var paying = await db.Query<Payer>(
            $"""
            select channel, license_arn, account, product_code from onboarding.agreement
            where tenant_id = {tenant.Value} and activated_at is not null
            order by state = 'active' desc, activated_at desc, id desc limit 1
            """,
            cancel);
        if (paying is [var newest])
        {
            await BillingAccounts.Set(db, tenant, newest.Channel, newest.LicenseArn, newest.Account, newest.ProductCode, cancel);
        }
    }

    private sealed record Row(
        TenantId TenantId, AgreementId Id, string Account, string? LicenseArn, string ProductCode, string State, BillingChannel Channel,
        DateTimeOffset? ActivatedAt, DateTimeOffset? LastEventAt, DateTimeOffset Since);

    private sealed record Payer(BillingChannel Channel, string? LicenseArn, string Account, string ProductCode);

    private sealed record Stored(string Id, string Kind, string? Status, DateTimeOffset At, string? AgreementId, bool Applied);
}
