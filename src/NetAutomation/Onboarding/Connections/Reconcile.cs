using Microsoft.Extensions.Options;
using NetAutomation.Persistence;

namespace NetAutomation.Onboarding.Connections;

/// <summary>
/// One round of making EC2 and the database agree. It assumes nothing about the round before: what EC2 shows now is stored, decided and
/// acted upon, and what EC2 refused is looked at again next time.
/// </summary>
internal sealed partial class Reconcile(SystemDb db, EndpointServiceApi api, IOptions<OnboardingOptions> options, TenantDirectory directory, ILogger<Reconcile> log)
{
    // EC2 is eventually consistent, so a connection is gone only when several complete listings lack it.
    private const int MissedUntilGone = 3;

    /// <summary>True while something is on its way and the next look should come soon.</summary>
    public async Task<bool> Run(CancellationToken cancel)
    {
        var waiting = await AllowPrincipals(cancel);
        await Store(await api.Connections(cancel), cancel);
        await using (var transaction = await db.Database.BeginTransactionAsync(cancel))
        {
            await EndBindings(cancel);
            await Decide(cancel);
            await Bind(cancel);
            await transaction.CommitAsync(cancel);
        }

        directory.Forget();
        await Act(cancel);
        return waiting || await db.Scalar<bool>(
            $"""
            select exists (select from onboarding.endpoint_connection
                           where service_id = {options.Value.ServiceId} and lower(state) in ('pendingacceptance', 'pending') and missed = 0)
            """,
            cancel);
    }

    // Removing a principal may cut its connections, so tenants that only read keep theirs.
    private async Task<bool> AllowPrincipals(CancellationToken cancel)
    {
        var wanted = (await db.Query<string>(
            $"""
            select distinct a.account from onboarding.tenant_account a join onboarding.tenant t using (tenant_id)
            where a.active and (t.state in ('active', 'suspended') or t.reads_until > now())
            """,
            cancel)).ToDictionary(account => $"arn:aws:iam::{account}:root", StringComparer.Ordinal);
        var present = await api.Principals(cancel);
        var add = wanted.Keys.Where(arn => !present.Contains(arn)).ToList();
        // Principals of other forms were allowed by a person and are left alone.
        var remove = present.Where(arn => arn.StartsWith("arn:aws:iam::", StringComparison.Ordinal) && arn.EndsWith(":root", StringComparison.Ordinal) && !wanted.ContainsKey(arn)).ToList();
        if (add.Count + remove.Count > 0)
        {
            await api.ChangePrincipals(add, remove, cancel);
            Log.Principals(log, add.Count, remove.Count);
        }

        string[] accounts = [.. wanted.Values];
        await db.Execute($"update onboarding.tenant_account set allowed_at = now() where active and allowed_at is null and account = any ({accounts})", cancel);
        return add.Count > 0;
    }

    private async Task Store(List<Observed> seen, CancellationToken cancel)
    {
        await using var transaction = await db.Database.BeginTransactionAsync(cancel);
        var ids = new List<Guid>(seen.Count);
        foreach (var each in seen)
        {
            ids.Add((await EndpointConnections.Store(db, each, cancel)).Value);
        }

        Guid[] all = [.. ids];
        await db.Execute(
            $"update onboarding.endpoint_connection set missed = missed + 1 where service_id = {options.Value.ServiceId} and not (id = any ({all})) and missed < {MissedUntilGone}",
            cancel);
        await transaction.CommitAsync(cancel);
    }

    private async Task EndBindings(CancellationToken cancel)
    {
        var ended = await db.Execute(
            $"""
            with ending as (
              select c.id, case when lower(c.state) <> 'available' then c.state when c.missed >= {MissedUntilGone} then 'gone'
                                when c.missed > 0 and exists (select from onboarding.endpoint_connection n
                                                              where n.service_id = c.service_id and n.endpoint_id = c.endpoint_id and n.missed = 0) then 'replaced' end as reason
              from onboarding.endpoint_connection c where c.service_id = {options.Value.ServiceId}
            )
            update onboarding.binding b set ended_at = now(), end_reason = e.reason
            from ending e where e.id = b.connection and b.ended_at is null and e.reason is not null
            """,
            cancel);
        if (ended > 0)
        {
            Log.Ended(log, ended);
        }
    }

    /// <summary>A person's decision stands; the policy's is made again until the connection is settled.</summary>
    private async Task Decide(CancellationToken cancel)
    {
        var policy = await AcceptancePolicy.Load(db, cancel);
        var open = await db.Query<Open>(
            $"""
            select c.id, c.owner, d.verdict, d.rule, d.bound_tenant
            from onboarding.endpoint_connection c
            left join lateral (select * from onboarding.acceptance_decision d where d.connection = c.id order by d.id desc limit 1) d on true
            where c.service_id = {options.Value.ServiceId} and c.missed = 0
              and (lower(c.state) = 'pendingacceptance' or (lower(c.state) in ('pending', 'available') and coalesce(d.verdict, 'leave') = 'leave'))
              and coalesce(d.made_by, 'policy') = 'policy'
            """,
            cancel);
        foreach (var each in open)
        {
            var decision = policy.Decide(each.Owner);
            if (decision.Verdict != each.Verdict || decision.Rule != each.Rule || decision.BoundTenant != each.BoundTenant)
            {
                await Decisions.Write(db, new(each.Id), decision, "policy", cancel);
                Log.Decided(log, new EndpointConnectionId(each.Id), decision.Verdict, decision.Rule);
            }
        }

        // Reading after the end is over: the endpoint goes as well.
        var over = await db.Query<Guid>(
            $"""
            select b.connection from onboarding.binding b join onboarding.tenant t using (tenant_id)
            where b.ended_at is null and t.state = 'ended' and t.reads_until <= now()
            """,
            cancel);
        foreach (var connection in over)
        {
            await Decisions.Write(db, new(connection), new(Verdict.Reject, "agreement_ended", "The agreement has ended.", null), "policy", cancel);
            await EndpointConnections.Unbind(db, new(connection), "agreement_ended", cancel);
        }
    }

    private async Task Bind(CancellationToken cancel)
    {
        var accepted = await db.Query<Accepted>(
            $"""
            select c.id, c.endpoint_id, d.bound_tenant from onboarding.endpoint_connection c
            join lateral (select * from onboarding.acceptance_decision d where d.connection = c.id order by d.id desc limit 1) d on true
            join onboarding.tenant t on t.tenant_id = d.bound_tenant
            where c.service_id = {options.Value.ServiceId} and c.missed = 0 and lower(c.state) = 'available' and d.verdict = 'accept'
              and (t.state in ('active', 'suspended') or t.reads_until > now())
              and not exists (select from onboarding.binding b where b.connection = c.id and b.ended_at is null)
            """,
            cancel);
        foreach (var each in accepted)
        {
            await EndpointConnections.Bind(db, new(each.Id), each.EndpointId, new(each.BoundTenant), cancel);
            await new Platform.AuditLog(db).Append(
                new(each.BoundTenant), "service", "service", each.EndpointId, "endpoint.bound", $"{new EndpointConnectionId(each.Id)}", null, cancel);
        }
    }

    private async Task Act(CancellationToken cancel)
    {
        var due = await db.Query<Due>(
            $"""
            select c.id, c.endpoint_id, d.verdict from onboarding.endpoint_connection c
            join lateral (select * from onboarding.acceptance_decision d where d.connection = c.id order by d.id desc limit 1) d on true
            where c.service_id = {options.Value.ServiceId} and c.missed = 0
              and ((d.verdict = 'accept' and lower(c.state) = 'pendingacceptance')
                or (d.verdict = 'reject' and lower(c.state) in ('pendingacceptance', 'pending', 'available')))
            """,
            cancel);
        foreach (var group in due.GroupBy(each => each.Verdict))
        {
            var faults = await api.Decide(group.Key == Verdict.Accept, [.. group.Select(each => each.EndpointId)], cancel);
            foreach (var each in group)
            {
                // Whatever the code: the state changed under us, and the next round looks again.
                var fault = faults.GetValueOrDefault(each.EndpointId);
                await db.Execute($"update onboarding.endpoint_connection set fault = {fault} where id = {each.Id} and fault is distinct from {fault}", cancel);
                if (fault is not null)
                {
                    Log.Unsuccessful(log, each.EndpointId, group.Key, fault);
                }
            }
        }
    }

    private sealed record Open(Guid Id, string Owner, Verdict? Verdict, string? Rule, Guid? BoundTenant);

    private sealed record Accepted(Guid Id, string EndpointId, Guid BoundTenant);

    private sealed record Due(Guid Id, string EndpointId, Verdict Verdict);

    private static partial class Log
    {
        [LoggerMessage(301, LogLevel.Information, "Allowed principals: {Added} added, {Removed} removed")]
        public static partial void Principals(ILogger logger, int added, int removed);

        [LoggerMessage(302, LogLevel.Information, "{Count} bindings ended with their connections")]
        public static partial void Ended(ILogger logger, int count);

        [LoggerMessage(303, LogLevel.Information, "{Connection}: {Verdict} by rule {Rule}")]
        public static partial void Decided(ILogger logger, EndpointConnectionId connection, Verdict verdict, string rule);

        [LoggerMessage(304, LogLevel.Warning, "EC2 did not {Verdict} {Endpoint}: {Code}")]
        public static partial void Unsuccessful(ILogger logger, string endpoint, Verdict verdict, string code);
    }
}
