using NetAutomation.Billing;
using NetAutomation.Connections;
using NetAutomation.Connectors;
using NetAutomation.Inventory;
using NetAutomation.Persistence;
using NetAutomation.Runs;
using NetAutomation.Scheduling;
using NetAutomation.Web;

namespace NetAutomation.Tenants.Lifecycle;

/// <summary>
/// Takes from a tenant all access, its secrets and what its devices gave out; bills, receipts, inventory and audit stay, and logs until
/// their time is over. There is no way back: who subscribes again is a new tenant. Each step is one transaction that says so, so it goes on
/// where a process died, and any number of processes may do it.
/// </summary>
internal sealed class Offboard(
    SystemDb db, TenantRuns runs, TenantEndpoints endpoints, TenantDirectory directory, ReconcileSignal signal)
{
    /// <summary>
    /// Their order: nothing may run on when the secrets go, and EC2 rejects a connection before its account loses the permission.
    /// </summary>
    public static readonly string[] Steps =
        ["registrations", "api_keys", "schedules", "runs", "artifacts", "connectors", "secrets", "connections", "principals", "accounts"];

    /// <summary>
    /// In the caller's transaction; false where an agreement is still in force, which one that was announced to end is for two hours. Begun
    /// before: changes nothing.
    /// </summary>
    public async Task<bool> Begin(TenantId tenant, string principal, string by, string reason, CancellationToken cancel)
    {
        // Agreements before their tenant, as whoever applies events.
        await Lock(db, tenant, cancel);
        var begun =
            await db.Scalar<bool>(
                $"select offboarding_at is not null as \"Value\" from onboarding.tenant where tenant_id = {tenant.Value} for update",
                cancel);
        if (begun)
        {
            return true;
        }

        if (await db.Scalar<bool>(
            $"""
            select exists (
              select from onboarding.agreement
              where tenant_id = {tenant.Value} and (state = 'active' or (state = 'ending' and coalesce(ending_at, now()) > now() - interval '2 hours')))
            """,
            cancel))
        {
            return false;
        }

        await db.Execute(
            $"""
            update onboarding.agreement set retired_at = now(), state = 'ended', ended_at = coalesce(ended_at, now()), ending_at = null, version = version + 1 where tenant_id = {tenant.Value}
            """,
            cancel);
        await db.Execute(
            $"""
            update onboarding.tenant set state = 'ended', reads_until = least(reads_until, now()), changed_at = now(),
              offboarding_at = now(), offboarding_by = {by}, offboarding_reason = {reason}
            where tenant_id = {tenant.Value}
            """,
            cancel);
        await BillingAccounts.Stop(db, tenant, stopped: true, cancel);
        await new AuditLog(db).Append(tenant, principal, by, null, "tenant.offboarding", $"{tenant}", new { reason }, cancel);
        db.AfterCommit.Add(directory.Forget);
        db.AfterCommit.Add(signal.Nudge);
        return true;
    }

    public static Task Lock(SystemDb db, TenantId tenant, CancellationToken cancel) =>
        db.Execute($"select from onboarding.agreement where tenant_id = {tenant.Value} order by id for update", cancel);

    /// <summary>Does what is left; false while something has to be waited for.</summary>
    public async Task<bool> Go(TenantId tenant, CancellationToken cancel)
    {
        var done = (await db.Query<string>($"select step from onboarding.offboarding_step where tenant_id = {tenant.Value}", cancel))
            .ToHashSet(StringComparer.Ordinal);
        foreach (var step in Steps.Where(step => !done.Contains(step)))
        {
            // EC2 and other databases roles are asked outside of the transaction.
            if (!await Ready(step, tenant, cancel))
            {
                return false;
            }

            await using var transaction = await db.Database.BeginTransactionAsync(cancel);
            await db.Execute($"select from onboarding.tenant where tenant_id = {tenant.Value} for update", cancel);
            var count = await Take(step, tenant, cancel);
            await db.Execute($"insert into onboarding.offboarding_step (tenant_id, step, count) values ({tenant.Value}, {step}, {count}) on conflict do nothing", cancel);
            await transaction.CommitAsync(cancel);
            directory.Forget();
        }

        await using var last = await db.Database.BeginTransactionAsync(cancel);
        if (await db.Execute($"update onboarding.tenant set offboarded_at = now(), changed_at = now() where tenant_id = {tenant.Value} and offboarded_at is null", cancel) > 0)
        {
            await new AuditLog(db).Append(tenant, "service", "service", null, "tenant.offboarded", $"{tenant}", null, cancel);
        }

        await last.CommitAsync(cancel);
        return true;
    }

    private async Task<bool> Ready(string step, TenantId tenant, CancellationToken cancel)
    {
        switch (step)
        {
            case "runs":
                return await runs.Cancel(tenant, "offboarding", cancel);
            case "connections":
                return await endpoints.AreClosed(tenant, cancel);
            case "principals":
                return await endpoints.AreHidden(tenant, cancel);
            default:
                return true;
        }
    }

    private Task<int> Take(string step, TenantId tenant, CancellationToken cancel) => step switch
    {
        "registrations" => db.Execute($"delete from onboarding.registration_session where tenant_id = {tenant.Value}", cancel),
        "api_keys" =>
            db.Execute($"update onboarding.api_key set revoked_at = now() where tenant_id = {tenant.Value} and revoked_at is null", cancel),
        "schedules" => TenantSchedules.Disable(db, tenant, cancel),
        "artifacts" => TenantRuns.DeleteArtifacts(db, tenant, cancel),
        "connectors" => TenantConnectors.Revoke(db, tenant, cancel),
        "secrets" => TenantSecrets.Destroy(db, tenant, cancel),
        "connections" => endpoints.Unbind(tenant, cancel),
        "accounts" => Accounts(tenant, cancel),
        _ => Task.FromResult(0),
    };

    private async Task<int> Accounts(TenantId tenant, CancellationToken cancel)
    {
        await db.Execute($"delete from onboarding.account_challenge where tenant_id = {tenant.Value}", cancel);
        return await db.Execute($"update onboarding.tenant_account set active = false, removed_at = now(), allowed_at = null where tenant_id = {tenant.Value} and active", cancel);
    }
}
