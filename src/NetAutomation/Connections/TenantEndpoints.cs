using Microsoft.Extensions.Options;
using NetAutomation.Connections.Reconciling;
using NetAutomation.Persistence;

namespace NetAutomation.Connections;

/// <summary>The endpoints of a tenant that leaves.</summary>
internal sealed class TenantEndpoints(SystemDb db, IServiceProvider services, IOptions<ConnectionsOptions> options)
{
    private bool HasService => options.Value.ServiceId.Length > 0;

    /// <summary>EC2 shows no open connection of the tenant. The reconcile loop rejects the connections.</summary>
    public async Task<bool> AreClosed(TenantId tenant, CancellationToken cancel) =>
        !HasService || !await db.Scalar<bool>(
            $"""
            select exists (select from onboarding.binding where tenant_id = {tenant.Value} and ended_at is null) or exists (
              select from onboarding.endpoint_connection c join onboarding.acceptance_decision d on d.id = c.decision
              where d.bound_tenant = {tenant.Value} and c.missed < 3
                and lower(c.state) not in ('rejected', 'deleting', 'deleted', 'failed', 'expired'))
            """,
            cancel);

    /// <summary>EC2 no longer shows the service to the tenant's accounts.</summary>
    public async Task<bool> AreHidden(TenantId tenant, CancellationToken cancel)
    {
        if (!HasService)
        {
            return true;
        }

        var allowed = await services.GetRequiredService<EndpointServiceApi>().Principals(cancel);
        // An account that another tenant has, or in which another tenant's endpoint lies, stays allowed. So does a principal that a person
        // allowed in EC2.
        return !(await db.Query<string>(
            $"""
            select p from onboarding.tenant_account a cross join lateral
              unnest(a.principals || format('arn:%s:iam::%s:root', {options.Value.Partition}::text, a.account)) p
            where a.tenant_id = {tenant.Value}
              and (p like '%:root' or exists (
                select from onboarding.allowed_principal w where w.service_id = {options.Value.ServiceId} and w.principal = p))
              and not exists (
                select from onboarding.endpoint_connection c join onboarding.binding b on b.connection = c.id
                where c.owner = a.account and c.missed < 3 and lower(c.state) in ('pending', 'available')
                  and b.ended_at is null and b.tenant_id <> a.tenant_id)
              and not exists (
                select from onboarding.tenant_account o join onboarding.tenant t on t.tenant_id = o.tenant_id
                where o.account = a.account and o.active and o.tenant_id <> a.tenant_id
                  and (t.state in ('active', 'suspended') or t.reads_until > now()))
            """,
            cancel)).Exists(allowed.Contains);
    }

    /// <summary>In the caller's transaction; returns how many bindings ended.</summary>
    public Task<int> Unbind(TenantId tenant, CancellationToken cancel) => db.Execute(
        $"update onboarding.binding set ended_at = now(), end_reason = 'offboarded' where tenant_id = {tenant.Value} and ended_at is null",
        cancel);
}
