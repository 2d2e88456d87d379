using NetAutomation.Persistence;
using NetAutomation.Tenants;

namespace NetAutomation.Registration.Browser;

/// <summary>How far a registration has come.</summary>
/// <param name="MayConnect">EC2 lets an account of the tenant see the service, so the customer can create an endpoint.</param>
/// <param name="HasKey">A key was issued at some time.</param>
/// <param name="HasConnector">A connector has joined.</param>
/// <param name="HasRun">A run has succeeded.</param>
internal sealed record RegistrationProgress(
    string State, bool MayConnect, bool HasKey, string[] Accounts, bool IsConnected, bool HasConnector, bool HasRun)
{
    public List<Connection> Connections { get; } = [];

    /// <summary>Accounts that are claimed; the nonce is empty where it has expired.</summary>
    public List<Challenge> Claims { get; } = [];

    /// <summary>The step to do next.</summary>
    public string Step => this switch
    {
        { State: "pending" } => "subscription",
        { State: not "active" } => State,
        { MayConnect: false } => "accounts",
        { IsConnected: false } => "endpoint",
        { HasKey: false } => "key",
        { HasConnector: false } => "connector",
        { HasRun: false } => "run",
        _ => "done",
    };

    public static async Task<RegistrationProgress> Read(SystemDb db, TenantId tenant, CancellationToken cancel)
    {
        var progress = (await db.Query<RegistrationProgress>(
            $"""
            select t.state,
              exists (
                select from onboarding.tenant_account a
                where a.tenant_id = t.tenant_id and a.active and a.allowed_at is not null) as may_connect,
              exists (select from onboarding.api_key k where k.tenant_id = t.tenant_id) as has_key,
              array(select a.account from onboarding.tenant_account a where a.tenant_id = t.tenant_id and a.active order by 1) as accounts,
              exists (select from onboarding.binding b where b.tenant_id = t.tenant_id and b.ended_at is null) as is_connected,
              exists (
                select from connectors.connector c
                where c.tenant_id = t.tenant_id and c.public_key is not null and c.state = 'active') as has_connector,
              exists (select from runs.run r where r.tenant_id = t.tenant_id and r.state = 'succeeded') as has_run
            from onboarding.tenant t where t.tenant_id = {tenant.Value}
            """,
            cancel))[0];
        progress.Connections.AddRange(await db.Query<Connection>(
            $"""
            select c.endpoint_id, c.owner as account,
              case lower(c.state) when 'pendingacceptance' then 'pending acceptance' else lower(c.state) end as state,
              case when d.verdict = 'accept' and lower(c.state) = 'rejected' and c.fault is not null
                then 'AWS does not take this connection back. Delete this endpoint and create it anew.'
                else coalesce(d.reason, '') end as reason
            from onboarding.endpoint_connection c
            join onboarding.tenant_account a on a.account = c.owner and a.tenant_id = {tenant.Value} and a.active
            left join onboarding.acceptance_decision d on d.id = c.decision
            where c.missed < 3 and coalesce(d.bound_tenant, {tenant.Value}) = {tenant.Value} order by c.id desc limit 50
            """,
            cancel));
        progress.Claims.AddRange(await db.Query<Challenge>(
            $"""
            select account, case when expires_at > now() then nonce else '' end as nonce, expires_at
            from onboarding.account_challenge where tenant_id = {tenant.Value} order by created_at
            """,
            cancel));
        return progress;
    }

    internal sealed record Connection(string EndpointId, string Account, string State, string Reason)
    {
        /// <summary>The next action of the customer.</summary>
        public string Advice => State switch
        {
            "rejected" => "Settle the reason and ask us, or delete the endpoint and create a new one.",
            "failed" or "expired" => "Delete the endpoint and create a new one.",
            "pending acceptance" when Reason.Length > 0 => "It waits for us.",
            _ => "",
        };
    }
}
