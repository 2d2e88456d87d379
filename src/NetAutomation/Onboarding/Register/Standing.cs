using NetAutomation.Persistence;

namespace NetAutomation.Onboarding.Register;

/// <summary>How far a registration has come.</summary>
/// <param name="MayConnect">EC2 lets the tenant's account see the service; before that the customer could not create an endpoint.</param>
/// <param name="HasKey">A key was ever issued.</param>
internal sealed record Standing(string State, bool MayConnect, bool HasKey, string[] Accounts, bool IsConnected)
{
    public List<Connection> Connections { get; private set; } = [];

    public static async Task<Standing> Read(SystemDb db, TenantId tenant, CancellationToken cancel)
    {
        var row = (await db.Query<Row>(
            $"""
            select t.state,
                   exists (select from onboarding.tenant_account a where a.tenant_id = t.tenant_id and a.active and a.allowed_at is not null) as may_connect,
                   exists (select from onboarding.api_key k where k.tenant_id = t.tenant_id) as has_key,
                   array(select a.account from onboarding.tenant_account a where a.tenant_id = t.tenant_id and a.active order by 1) as accounts,
                   exists (select from onboarding.binding b where b.tenant_id = t.tenant_id and b.ended_at is null) as is_connected
            from onboarding.tenant t where t.tenant_id = {tenant.Value}
            """,
            cancel))[0];
        var connections = await db.Query<Connection>(
            $"""
            select c.endpoint_id, c.owner, case when c.missed >= 3 then 'gone' else c.state end as state,
                   case when d.verdict = 'accept' and lower(c.state) = 'rejected' and c.fault is not null
                        then 'AWS does not take this connection back. Delete this endpoint and create it anew.' else d.reason end as reason
            from onboarding.endpoint_connection c
            join onboarding.tenant_account a on a.account = c.owner and a.tenant_id = {tenant.Value} and a.active
            left join onboarding.acceptance_decision d on d.id = c.decision
            where c.missed < 3 order by c.id desc limit 50
            """,
            cancel);
        return new Standing(row.State, row.MayConnect, row.HasKey, row.Accounts, row.IsConnected) { Connections = connections };
    }

    internal sealed record Connection(string EndpointId, string Owner, string State, string? Reason);

    private sealed record Row(string State, bool MayConnect, bool HasKey, string[] Accounts, bool IsConnected);
}
