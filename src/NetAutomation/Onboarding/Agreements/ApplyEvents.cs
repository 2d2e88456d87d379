using Microsoft.Extensions.Options;
using NetAutomation.Billing;
using NetAutomation.Marketplace;
using NetAutomation.Onboarding.Tenants;
using NetAutomation.Persistence;
using NetAutomation.Platform;

namespace NetAutomation.Onboarding.Agreements;

/// <summary>
/// Applies stored Marketplace events to agreements. They come in any order, more than once, and before the buyer registers: what fits no
/// agreement yet stays stored and is applied when one is there.
/// </summary>
internal sealed class ApplyEvents(SystemDb db, IOptions<OnboardingOptions> options)
{
    public Task Store(LifecycleEvent received, CancellationToken cancel) => db.Execute(
        $"""
        insert into onboarding.marketplace_event (id, kind, at, license_arn, agreement_id, account, product_code, body)
        values ({received.Id}, {received.Name}, {received.At.ToUniversalTime()}, {received.LicenseArn}, {received.AgreementId}, {received.Account},
                {received.ProductCode}, {received.Body}::jsonb)
        on conflict (id) do nothing
        """,
        cancel);

    /// <summary>Applies what is stored for the agreement this licence or agreement id names; nothing where there is none yet. In the caller's transaction.</summary>
    public async Task Apply(string? licenseArn, string? agreementId, CancellationToken cancel)
    {
        var found = await db.Query<Row>(
            $"""
            select tenant_id, id, account, license_arn, product_code, agreement_id, state, channel, last_event_at from onboarding.agreement
            where license_arn = {licenseArn} or agreement_id = {agreementId} for update
            """,
            cancel);
        foreach (var agreement in found)
        {
            await Apply(agreement, cancel);
        }
    }

    /// <summary>Agreements for which something stored waits: it came while their registration was not committed yet.</summary>
    public Task<List<Named>> Left(CancellationToken cancel) => db.Query<Named>(
        $"""
        select a.license_arn, a.agreement_id from onboarding.marketplace_event e join onboarding.agreement a on a.license_arn = e.license_arn where e.applied_at is null
        union
        select a.license_arn, a.agreement_id from onboarding.marketplace_event e join onboarding.agreement a on a.agreement_id = e.agreement_id where e.applied_at is null
        """,
        cancel);

    private async Task Apply(Row agreement, CancellationToken cancel)
    {
        // A licence event teaches the agreement id, under which more may be waiting.
        var known = agreement;
        while (true)
        {
            var waiting = await db.Query<Waiting>(
                $"""
                select id, kind, at, agreement_id, body -> 'detail' -> 'agreement' ->> 'status' as status from onboarding.marketplace_event
                where applied_at is null and (license_arn = {known.LicenseArn} or agreement_id = {known.AgreementId})
                order by at, received_at
                """,
                cancel);
            if (waiting.Count == 0)
            {
                return;
            }

            foreach (var each in waiting)
            {
                known = await Apply(known, each, cancel);
            }
        }
    }

    private async Task<Row> Apply(Row agreement, Waiting each, CancellationToken cancel)
    {
        await db.Execute($"update onboarding.marketplace_event set applied_at = now() where id = {each.Id}", cancel);
        var kind = LifecycleEvent.KindOf(each.Kind, each.Status);
        // A renewed licence is of another agreement, whose predecessor may still be heard to end.
        if (kind == LifecycleKind.Other
            || (kind == LifecycleKind.AgreementEnded && agreement.AgreementId is { } current && each.AgreementId is { } ended && ended != current))
        {
            return agreement;
        }

        var learnt = agreement with { AgreementId = agreement.AgreementId ?? each.AgreementId };
        if (each.At < agreement.LastEventAt)
        {
            return learnt;
        }

        if (kind == LifecycleKind.LicenseUpdated)
        {
            learnt = learnt with { AgreementId = each.AgreementId ?? agreement.AgreementId };
        }

        var (tenant, id) = (new TenantId(agreement.TenantId), new AgreementId(agreement.Id));
        await db.Execute(
            $"""
            update onboarding.agreement set agreement_id = {learnt.AgreementId}, last_event_at = {each.At}
            where tenant_id = {agreement.TenantId} and id = {agreement.Id}
            """,
            cancel);
        if (kind == LifecycleKind.LicenseUpdated)
        {
            await OpenTenant.Activate(db, tenant, id, cancel);
            await BillingAccounts.Activate(db, tenant, agreement.Channel, agreement.LicenseArn, agreement.Account, agreement.ProductCode, cancel);
        }
        else
        {
            await End(agreement, each.At, cancel);
        }

        await new AuditLog(db).Append(
            tenant, "marketplace", "AWS Marketplace", null, kind == LifecycleKind.LicenseUpdated ? "agreement.activated" : "agreement.ended", $"{id}", new { @event = each.Id }, cancel);
        return learnt with { LastEventAt = each.At };
    }

    private async Task End(Row agreement, DateTimeOffset at, CancellationToken cancel)
    {
        await db.Execute(
            $"""
            update onboarding.agreement set state = 'ended', ended_at = {at}, version = version + 1
            where tenant_id = {agreement.TenantId} and id = {agreement.Id} and state <> 'ended'
            """,
            cancel);
        if (await db.Execute(
            $"""
            update onboarding.tenant t set state = 'ended', reads_until = now() + {options.Value.ReadsAfterEnd}, changed_at = now()
            where tenant_id = {agreement.TenantId} and state <> 'ended'
              and not exists (select from onboarding.agreement a where a.tenant_id = t.tenant_id and a.state <> 'ended')
            """,
            cancel) > 0)
        {
            await BillingAccounts.Stop(db, new TenantId(agreement.TenantId), stopped: true, cancel);
        }

        await BillingAccounts.Close(db, new TenantId(agreement.TenantId), agreement.LicenseArn, agreement.Account, agreement.ProductCode, cancel);
    }

    internal sealed record Named(string? LicenseArn, string? AgreementId);

    private sealed record Row(
        Guid TenantId, Guid Id, string Account, string? LicenseArn, string ProductCode, string? AgreementId, string State, BillingChannel Channel, DateTimeOffset? LastEventAt);

    private sealed record Waiting(string Id, string Kind, DateTimeOffset At, string? AgreementId, string? Status);
}
