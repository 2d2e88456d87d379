using NetAutomation.Persistence;
using NetAutomation.Web;

namespace NetAutomation.Tenants.Lifecycle;

/// <summary>Reads and cancels only, in the caller's transaction.</summary>
internal sealed class Suspension(SystemDb db, TenantState state)
{
    public const string Marketplace = "marketplace";

    public async Task Begin(TenantId tenant, string principal, string by, string reason, CancellationToken cancel)
    {
        await db.Execute(
            $"""
            update onboarding.tenant set suspended_at = now(), suspended_by = {by}, suspended_reason = {reason}
            where tenant_id = {tenant.Value} and (suspended_at is null or (suspended_by = {Marketplace} and {by} <> {Marketplace}))
            """,
            cancel);
        await state.Settle(tenant, cancel);
        await new AuditLog(db).Append(tenant, principal, by, null, "tenant.suspended", $"{tenant}", new { reason }, cancel);
    }

    public async Task End(TenantId tenant, string principal, string by, CancellationToken cancel)
    {
        // What an operator took over meanwhile is not Marketplace's to lift.
        var ended = await db.Execute(
            $"""
            update onboarding.tenant set suspended_at = null, suspended_by = null, suspended_reason = null
            where tenant_id = {tenant.Value} and ({by} <> {Marketplace} or suspended_by = {Marketplace})
            """,
            cancel);
        if (ended == 0)
        {
            return;
        }

        await state.Settle(tenant, cancel);
        await new AuditLog(db).Append(tenant, principal, by, null, "tenant.active", $"{tenant}", null, cancel);
    }
}
