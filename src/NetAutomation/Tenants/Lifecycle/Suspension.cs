using NetAutomation.Connections;
using NetAutomation.Persistence;
using NetAutomation.Web;

namespace NetAutomation.Tenants.Lifecycle;

/// <summary>Suspends a tenant, which may then read and cancel only, and lifts the suspension. In the caller's transaction.</summary>
internal sealed class Suspension(SystemDb db, TenantState state, TenantDirectory directory, ReconcileSignal signal)
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
        await Settle(tenant, principal, by, "tenant.suspended", new { reason }, cancel);
    }

    public async Task End(TenantId tenant, string principal, string by, CancellationToken cancel)
    {
        // Marketplace must not lift a suspension that an operator has taken over.
        var ended = await db.Execute(
            $"""
            update onboarding.tenant set suspended_at = null, suspended_by = null, suspended_reason = null
            where tenant_id = {tenant.Value} and ({by} <> {Marketplace} or suspended_by = {Marketplace})
            """,
            cancel);
        if (ended > 0)
        {
            await Settle(tenant, principal, by, "tenant.active", null, cancel);
        }
    }

    private async Task Settle(TenantId tenant, string principal, string by, string action, object? data, CancellationToken cancel)
    {
        await state.Settle(tenant, cancel);
        await new AuditLog(db).Append(tenant, principal, by, null, action, $"{tenant}", data, cancel);
        db.AfterCommit.Add(() => directory.Forget(tenant));
        db.AfterCommit.Add(signal.Nudge);
    }
}
