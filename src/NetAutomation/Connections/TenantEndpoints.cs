using Microsoft.Extensions.Options;
using NetAutomation.Connections.Reconciling;
using NetAutomation.Persistence;

namespace NetAutomation.Connections;

/// <summary>The endpoints of a tenant that leaves.</summary>
internal sealed class TenantEndpoints(SystemDb db, IServiceProvider services, IOptions<ConnectionsOptions> options)
{
    private static readonly string[] _gone = ["rejected", "deleting", "deleted", "failed", "expired"];

    private bool HasService => options.Value.ServiceId.Length > 0;

    /// <summary>No connection of the tenant is open. The reconcile loop rejects them; what EC2 shows is what counts.</summary>
    public async Task<bool> AreClosed(TenantId tenant, CancellationToken cancel)
    {
        return !HasService || !await db.Scalar<bool>(
            $"""
            select exists (select from onboarding.binding where tenant_id = {tenant.Value} and ended_at is null) or exists (
              select from onboarding.endpoint_connection c join onboarding.acceptance_decision d on d.id = c.decision
              where d.bound_tenant = {tenant.Value} and c.missed < 3 and not (lower(c.state) = any ({_gone})))
            """,
            cancel);
    }

    /// <summary>EC2 shows the service no more to the tenant's accounts.</summary>
    public async Task<bool> AreHidden(TenantId tenant, CancellationToken cancel)
    {
        if (!HasService)
        {
            return true;
        }

        var allowed = await services.GetRequiredService<EndpointServiceApi>().Principals(cancel);
        // What another tenant has as well stays allowed for that one, or while its endpoint is in the account; and what a person allowed in
        // EC2 is not ours to take back.
        return !(await db.Query<string>(
            $"""
            select p from onboarding.tenant_account a cross join lateral unnest(a.principals || format('arn:%s:iam::%s:root', {options.Value.Partition}::text, a.account)) p
            where a.tenant_id = {tenant.Value}
              and (p like '%:root' or exists (
                select from onboarding.allowed_principal w where w.service_id = {options.Value.ServiceId} and w.principal = p))
              and not exists (
                select from onboarding.endpoint_connection c join onboarding.binding b on b.connection = c.id
                where c.owner = a.account and c.missed < 3 and lower(c.state) in ('pending', 'available') and b.ended_at is null and b.tenant_id <> a.tenant_id)
              and not exists (
                select from onboarding.tenant_account o join onboarding.tenant t on t.tenant_id = o.tenant_id
                where o.account = a.account and o.active and o.tenant_id <> a.tenant_id and (t.state in ('active', 'suspended') or t.reads_until > now()))
            """,
            cancel)).Exists(allowed.Contains);
    }

    /// <summary>In the caller's transaction; answers how many were bound.</summary>
    public Task<int> Unbind(TenantId tenant, CancellationToken cancel) => db.Execute(
        $"update onboarding.binding set ended_at = now(), end_reason = 'offboarded' where tenant_id = {tenant.Value} and ended_at is null",
        cancel);
}
