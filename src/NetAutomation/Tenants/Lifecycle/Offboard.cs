using NetAutomation.Billing;
using NetAutomation.Connections;
using NetAutomation.Connectors;
using NetAutomation.History;
using NetAutomation.Inventory;
using NetAutomation.Persistence;
using NetAutomation.Runs;
using NetAutomation.Scheduling;
using NetAutomation.Tenants.Accounts;
using NetAutomation.Web;

namespace NetAutomation.Tenants.Lifecycle;

/// <summary>
/// Takes from a tenant all access, its secrets, and the artifacts and configurations of its devices. Bills, receipts, inventory and audit
/// stay; logs stay until they expire. There is no way back: a customer that subscribes again is a new tenant. Each step is one
/// transaction that records itself, so another process can go on where one died, and several processes may do it at once.
/// </summary>
internal sealed class Offboard(
    SystemDb db, TenantRuns runs, TenantEndpoints endpoints, TenantDirectory directory, ReconcileSignal signal)
{
    /// <summary>
    /// In order: the secrets go after the last run has ended, and an account loses its permission after EC2 has rejected its connections.
    /// </summary>
    public static readonly string[] Steps =
    [
        "registrations", "api_keys", "schedules", "runs", "artifacts", "configs", "connectors", "secrets", "connections", "principals",
        "accounts",
    ];

    /// <summary>
    /// In the caller's transaction. False where an agreement is still in force; one whose end was announced counts as in force for two
    /// hours. Changes nothing where it was begun before.
    /// </summary>
    public async Task<bool> Begin(TenantId tenant, string principal, string by, string reason, CancellationToken cancel)
    {
        // Lock the agreements before their tenant, in the order of ApplyEvents.
        await Lock(db, tenant, cancel);
        var begun =
            await db.Scalar<bool>(
                $"select offboarding_at is not null from onboarding.tenant where tenant_id = {tenant.Value} for update",
                cancel);
        if (begun)
        {
            return true;
        }

        if (await db.Scalar<bool>(
            $"""
            select exists (
              select from onboarding.agreement
              where tenant_id = {tenant.Value}
                and (state = 'active' or (state = 'ending' and coalesce(ending_at, now()) > now() - interval '2 hours')))
            """,
            cancel))
        {
            return false;
        }

        await db.Execute(
            $"""
            update onboarding.agreement set retired_at = now(), state = 'ended', ended_at = coalesce(ended_at, now()), ending_at = null,
              version = version + 1
            where tenant_id = {tenant.Value}
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
        db.AfterCommit.Add(() => directory.Forget(tenant));
        db.AfterCommit.Add(signal.Nudge);
        return true;
    }

    public static Task Lock(SystemDb db, TenantId tenant, CancellationToken cancel) =>
        db.Execute($"select from onboarding.agreement where tenant_id = {tenant.Value} order by id for update", cancel);

    /// <summary>Does the remaining steps; false while one has to wait.</summary>
    public async Task<bool> Go(TenantId tenant, CancellationToken cancel)
    {
        var done = (await db.Query<string>($"select step from onboarding.offboarding_step where tenant_id = {tenant.Value}", cancel))
            .ToHashSet(StringComparer.Ordinal);
        foreach (var step in Steps.Where(step => !done.Contains(step)))
        {
            // Asks EC2, and cancels runs under the tenant's own role, outside the transaction of the step.
            if (!await Ready(step, tenant, cancel))
            {
                return false;
            }

            await using var transaction = await db.Database.BeginTransactionAsync(cancel);
            await db.Execute($"select from onboarding.tenant where tenant_id = {tenant.Value} for update", cancel);
            var count = await Take(step, tenant, cancel);
            await db.Execute(
                $"""
                insert into onboarding.offboarding_step (tenant_id, step, count) values ({tenant.Value}, {step}, {count})
                on conflict do nothing
                """,
                cancel);
            await transaction.CommitAsync(cancel);
            directory.Forget(tenant);
        }

        await using var last = await db.Database.BeginTransactionAsync(cancel);
        if (await db.Execute(
            $"""
            update onboarding.tenant set offboarded_at = now(), changed_at = now()
            where tenant_id = {tenant.Value} and offboarded_at is null
            """,
            cancel) > 0)
        {
            await new AuditLog(db).Append(tenant, "service", "service", null, "tenant.offboarded", $"{tenant}", null, cancel);
        }

        await last.CommitAsync(cancel);
        return true;
    }

    private Task<bool> Ready(string step, TenantId tenant, CancellationToken cancel) => step switch
    {
        "runs" => runs.Cancel(tenant, "offboarding", cancel),
        "connections" => endpoints.AreClosed(tenant, cancel),
        "principals" => endpoints.AreHidden(tenant, cancel),
        _ => Task.FromResult(true),
    };

    private Task<int> Take(string step, TenantId tenant, CancellationToken cancel) => step switch
    {
        "registrations" => db.Execute($"delete from onboarding.registration_session where tenant_id = {tenant.Value}", cancel),
        "api_keys" =>
            db.Execute($"update onboarding.api_key set revoked_at = now() where tenant_id = {tenant.Value} and revoked_at is null", cancel),
        "schedules" => TenantSchedules.Disable(db, tenant, cancel),
        "artifacts" => TenantRuns.DeleteArtifacts(db, tenant, cancel),
        "configs" => ConfigHistory.Delete(db, tenant, cancel),
        "connectors" => TenantConnectors.Revoke(db, tenant, cancel),
        "secrets" => TenantSecrets.Destroy(db, tenant, cancel),
        "connections" => endpoints.Unbind(tenant, cancel),
        "accounts" => Accounts(tenant, cancel),
        _ => Task.FromResult(0),
    };

    private async Task<int> Accounts(TenantId tenant, CancellationToken cancel)
    {
        await db.Execute($"delete from onboarding.account_challenge where tenant_id = {tenant.Value}", cancel);
        return await TenantAccounts.Remove(db, tenant, null, cancel);
    }
}
