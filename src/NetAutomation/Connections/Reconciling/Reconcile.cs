using System.Runtime.ExceptionServices;
using System.Text.Json;
using Microsoft.Extensions.Options;
using NetAutomation.Connections.Policy;
using NetAutomation.Persistence;
using NetAutomation.Tunnel;
using NetAutomation.Web;

namespace NetAutomation.Connections.Reconciling;

/// <summary>
/// One round that makes EC2 and the database agree. It assumes nothing about the round before and may stop anywhere: it stores, decides and
/// carries out what EC2 shows now, each step by itself, and a later round looks again at connections that EC2 refused.
/// </summary>
internal sealed partial class Reconcile(
    SystemDb db,
    EndpointServiceApi api,
    AllowedPrincipals principals,
    IOptions<ConnectionsOptions> options,
    BindingDirectory directory,
    BindingBell bell,
    ConnectionMetrics metrics,
    TimeProvider clock,
    ILogger<Reconcile> log)
{
    private const int AtOnce = 1000;

    // After this time the listing is old: ended connections must not wait for a long queue of acceptances.
    private static readonly TimeSpan _fresh = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan _lag = TimeSpan.FromSeconds(30);

    // Time limits while EC2 throttles: before the first acceptance, and after it.
    private static readonly TimeSpan _verify = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan _keep = TimeSpan.FromMinutes(1);

    // After this time, rounds look at a connection that stays pending less often.
    private static readonly TimeSpan _patience = TimeSpan.FromMinutes(5);
    private ExceptionDispatchInfo? _fault;

    private string Service => options.Value.ServiceId;

    /// <summary>Returns the pause before the next round.</summary>
    public async Task<TimeSpan> Run(CancellationToken cancel)
    {
        // The last round may have stored pages of a listing that failed later.
        await EndBindings(cancel);
        var (seen, unreadable) = (new List<Observed>(), new List<string>());
        await foreach (var page in api.Connections(unreadable, cancel))
        {
            await EndpointConnections.Store(db, Service, page, cancel);
            seen.AddRange(page);
        }

        var listed = clock.GetTimestamp();
        if (unreadable.Count > 0)
        {
            Log.Unreadable(log, unreadable.Count, unreadable[0]);
        }

        if (!unreadable.Contains("")
            && await EndpointConnections.Miss(db, Service, seen, unreadable, options.Value.GoneAfter, cancel) is { Length: > 0 } gone)
        {
            // EC2 answers a stranger with an empty list. Only the service's owner may read its principals, which proves that the list is
            // real.
            await Attempt(
                _verify,
                async soon =>
                {
                    await api.Principals(soon);
                    await EndpointConnections.Lose(db, gone, cancel);
                },
                cancel);
        }

        await EndBindings(cancel);
        await Decide(cancel);
        await RejectWhatIsOver(cancel);
        await EndBindings(cancel);
        await using (var transaction = await db.Database.BeginTransactionAsync(cancel))
        {
            await EndpointConnections.Bind(db, Service, cancel);
            await transaction.CommitAsync(cancel);
        }

        directory.Forget();
        var done = await Act(listed, cancel);
        await Attempt(_keep, principals.Keep, cancel);
        var pause = done ? await Pause(cancel) : TimeSpan.Zero;
        _fault?.Throw();
        return pause;
    }

    /// <summary>Runs a step that may fail alone: the round goes on to the other steps, and counts as failed.</summary>
    private async Task Attempt(TimeSpan longest, Func<CancellationToken, Task> step, CancellationToken cancel)
    {
        using var limit = cancel.Within(longest);
        try
        {
            await step(limit.Token);
        }
        catch (Exception fault) when (!cancel.IsCancellationRequested)
        {
            if (_fault is not null)
            {
                Log.AlsoFailed(log, fault);
            }

            _fault ??= ExceptionDispatchInfo.Capture(fault);
        }
    }

    private async Task EndBindings(CancellationToken cancel)
    {
        var ended = await EndpointConnections.EndBindings(db, Service, cancel);
        if (ended > 0)
        {
            directory.Forget();
            bell.Ring();
            metrics.Unbound(ended);
            Log.Ended(log, ended);
        }
    }

    /// <summary>
    /// A person's decision stands; the policy decides again until the connection is settled. The policy may take back a connection that it
    /// rejected, and leaves alone one that somebody else rejected. It takes a tenant's rejected connection back for that tenant only: the
    /// account may also belong to another tenant, and only a person may give one tenant's endpoint to another.
    /// </summary>
    private async Task Decide(CancellationToken cancel)
    {
        var open = await db.Query<Open>(
            $"""
            select c.id, c.owner, c.region, c.tags, c.state, c.decision, d.verdict, d.rule, d.bound_tenant,
              coalesce(d.takes_back, false) as takes_back
            from onboarding.endpoint_connection c left join onboarding.acceptance_decision d on d.id = c.decision
              left join onboarding.tenant t on t.tenant_id = d.bound_tenant
              left join onboarding.tenant_account a on a.tenant_id = d.bound_tenant and a.account = c.owner
            where c.service_id = {Service} and c.missed = 0 and coalesce(d.made_by, 'policy') = 'policy'
              and lower(c.state) in ('pendingacceptance', 'pending', 'available', 'rejected')
              and case
                when d.verdict = 'reject' and d.bound_tenant is not null then t.state = 'active' and a.active is distinct from false
                else lower(c.state) = 'pendingacceptance'
                  or (lower(c.state) in ('pending', 'available') and coalesce(d.verdict, 'leave') = 'leave')
                  or (lower(c.state) = 'rejected' and (d.verdict = 'reject' or (d.verdict = 'leave' and d.takes_back))) end
            order by c.endpoint_created_at, c.id
            """,
            cancel);
        if (open.Count == 0)
        {
            return;
        }

        var policy = await AcceptancePolicy.Load(db, clock.GetUtcNow(), cancel);
        var decisions = new List<NewDecision>();
        foreach (var each in open)
        {
            var tags = each.Tags.Deserialize<Dictionary<string, string>>(Json.Api)!;
            var own = each.Verdict == Verdict.Reject ? each.BoundTenant : null;
            var decision = policy.Decide(new Candidate(each.Owner, each.Region ?? options.Value.Region, tags, each.Id), own);
            var changes = decision.Verdict != each.Verdict || decision.Rule != each.Rule || decision.BoundTenant != each.BoundTenant;
            var mayChange = decision.Verdict == Verdict.Accept
                || (own is null && (each.Verdict != Verdict.Reject || !IsRejected(each.State)));
            if (changes && mayChange)
            {
                var takesBack = each.TakesBack || IsRejected(each.State) || each.Verdict == Verdict.Reject;
                decisions.Add(new NewDecision(each.Id, each.Decision, takesBack, decision));
            }
        }

        await Write(decisions, cancel);
    }

    /// <summary>
    /// Rejects the endpoints of tenants whose time to read after the end, or whose grace during a suspension, is over, and those of
    /// accounts that were removed.
    /// </summary>
    private async Task RejectWhatIsOver(CancellationToken cancel)
    {
        TimeSpan? grace = options.Value.RejectSuspendedAfter > TimeSpan.Zero ? options.Value.RejectSuspendedAfter : null;
        var over = await db.Query<Over>(
            $"""
            select c.id, c.decision, t.tenant_id, case t.state
              when 'ended' then 'agreement_ended' when 'suspended' then 'agreement_suspended' else 'account_removed' end as rule
            from onboarding.endpoint_connection c join onboarding.acceptance_decision d on d.id = c.decision
            join onboarding.tenant t on t.tenant_id = d.bound_tenant
            left join onboarding.tenant_account a on a.tenant_id = t.tenant_id and a.account = c.owner
            where c.service_id = {Service} and c.missed < {EndpointConnections.MissedUntilGone} and d.verdict = 'accept'
              and lower(c.state) in ('pendingacceptance', 'pending', 'available')
              and ((t.state = 'ended' and t.reads_until <= now())
                or (t.state = 'suspended' and coalesce(t.suspended_at, t.changed_at) + {grace}::interval <= now())
                or (not a.active and (d.made_by = 'policy' or d.at < coalesce(a.removed_at, 'infinity'))))
            """,
            cancel);
        await Write(
            [
                .. over.Select(each => new NewDecision(each.Id, each.Decision, false, new Decision(
                    Verdict.Reject,
                    each.Rule,
                    each.Rule switch
                    {
                        "agreement_ended" => "The agreement has ended.",
                        "agreement_suspended" => "The agreement is suspended.",
                        _ => "The account is no longer one of the tenant's.",
                    },
                    each.TenantId))),
            ],
            cancel);
    }

    private async Task Write(List<NewDecision> decisions, CancellationToken cancel)
    {
        foreach (var chunk in decisions.Chunk(AtOnce))
        {
            await Decisions.Write(db, chunk, "policy", cancel);
        }

        foreach (var group in decisions.GroupBy(each => (each.Decision.Verdict, each.Decision.Rule)))
        {
            metrics.Decided(group.Key.Verdict, group.Count());
            Log.Decided(log, group.Count(), group.Key.Verdict, group.Key.Rule);
        }
    }

    /// <summary>False where the round left connections to the next one.</summary>
    private async Task<bool> Act(long listed, CancellationToken cancel)
    {
        var pending = await db.Query<PendingDecision>(
            $"""
            select c.id, c.endpoint_id, c.decision, d.verdict
            from onboarding.endpoint_connection c join onboarding.acceptance_decision d on d.id = c.decision
            where c.service_id = {Service} and c.missed = 0
              and ((d.verdict = 'accept' and (lower(c.state) = 'pendingacceptance' or (lower(c.state) = 'rejected' and d.takes_back)))
                or (d.verdict = 'reject' and lower(c.state) in ('pendingacceptance', 'pending', 'available')))
              and (c.asked is distinct from c.decision or c.ask_at is null or c.ask_at <= now())
            order by d.verdict desc, c.attempts, c.id
            """,
            cancel);
        var done = true;
        foreach (var group in pending.GroupBy(each => each.Verdict))
        {
            // Rejections that fail must not delay acceptances.
            await Attempt(
                Timeout.InfiniteTimeSpan,
                async _ =>
                {
                    foreach (var chunk in group.Chunk(EndpointServiceApi.AtOnce))
                    {
                        if (clock.GetElapsedTime(listed) > _fresh)
                        {
                            done = false;
                            return;
                        }

                        await Ask(group.Key, chunk, cancel);
                    }
                },
                cancel);
        }

        return done;
    }

    /// <summary>
    /// EC2 may show the old state for a while, so it is not asked again at once. After a fault of any code, a later round asks again.
    /// </summary>
    private async Task Ask(Verdict verdict, PendingDecision[] pending, CancellationToken cancel)
    {
        var faults = await api.Decide(verdict == Verdict.Accept, [.. pending.Select(each => each.EndpointId)], cancel);
        Guid[] ids = [.. pending.Select(each => each.Id)];
        Guid[] decisions = [.. pending.Select(each => each.Decision)];
        string?[] codes = [.. pending.Select(each => faults.GetValueOrDefault(each.EndpointId))];
        await db.Execute(
            $"""
            update onboarding.endpoint_connection c
            set asked = r.decision, fault = r.code, attempts = case when r.code is null then 0 else c.attempts + 1 end,
                ask_at = now() + case when r.code is null then {_lag} else
                  least({options.Value.PendingInterval} * power(2, least(c.attempts, 20)), interval '1 hour') * (0.75 + random() / 4) end
            from unnest({ids}, {decisions}, {codes}) as r(id, decision, code) where c.id = r.id and c.decision = r.decision
            """,
            cancel);
        if (faults.Count > 0)
        {
            metrics.Refused(faults.Count);
            var (endpoint, code) = faults.First();
            Log.Unsuccessful(log, faults.Count, verdict, endpoint, code);
        }
    }

    private async Task<TimeSpan> Pause(CancellationToken cancel)
    {
        var row = (await db.Query<Rest>(
            $"""
            select count(*) filter (where moving or waiting) as pending,
              min(now() - since) filter (where moving and fault is null) as moving_for, coalesce(bool_or(waiting), false) as is_waiting,
              min(ask_at) filter (where moving and fault is not null) - now() as again,
              coalesce(now() - min(first_seen_at) filter (where state = 'pendingacceptance'), interval '0') as oldest
            from (
              select lower(c.state) as state, c.first_seen_at, c.fault, c.ask_at, greatest(c.state_at, d.at, c.missed_at) as since,
                (d.verdict = 'accept' and lower(c.state) in ('pendingacceptance', 'pending'))
                  or (d.verdict = 'accept' and lower(c.state) = 'rejected' and d.takes_back)
                  or (d.verdict = 'reject' and lower(c.state) in ('pendingacceptance', 'pending', 'available'))
                  or (c.missed > 0 and lower(c.state) in ('pendingacceptance', 'pending', 'available')) as moving,
                coalesce(d.verdict, 'leave') = 'leave' and lower(c.state) in ('pendingacceptance', 'pending') as waiting
              from onboarding.endpoint_connection c left join onboarding.acceptance_decision d on d.id = c.decision
              where c.service_id = {Service} and c.missed < {EndpointConnections.MissedUntilGone}) c
            """,
            cancel))[0];
        metrics.Waiting(row.Pending, row.Oldest);
        var (soon, late) = (options.Value.PendingInterval, options.Value.ReconcileInterval);
        var rest = row.IsWaiting ? soon * 6 : late;
        var pause = row.MovingFor is not { } age ? rest : age < _patience || age / 10 < soon ? soon : age / 10 < rest ? age / 10 : rest;
        var again = row.Again is { } ask && ask < pause ? ask : pause;
        return again < soon ? soon : again > late ? late : again;
    }

    private static bool IsRejected(string state) => state.Equals("rejected", StringComparison.OrdinalIgnoreCase);

    private sealed record Open(
        Guid Id, string Owner, string? Region, JsonElement Tags, string State, Guid? Decision, Verdict? Verdict, string? Rule,
        Guid? BoundTenant, bool TakesBack);

    private sealed record Over(Guid Id, Guid? Decision, Guid TenantId, string Rule);

    private sealed record PendingDecision(Guid Id, string EndpointId, Guid Decision, Verdict Verdict);

    private sealed record Rest(long Pending, TimeSpan? MovingFor, bool IsWaiting, TimeSpan? Again, TimeSpan Oldest);

    private static partial class Log
    {
        [LoggerMessage(902, LogLevel.Information, "{Count} bindings ended with their connections")]
        public static partial void Ended(ILogger logger, int count);

        [LoggerMessage(903, LogLevel.Information, "{Count} connections: {Verdict} by rule {Rule}")]
        public static partial void Decided(ILogger logger, int count, Verdict verdict, string rule);

        [LoggerMessage(
            908, LogLevel.Warning, "EC2 lists {Count} connections without an id, owner or time, such as {Endpoint}; they are passed over")]
        public static partial void Unreadable(ILogger logger, int count, string endpoint);

        [LoggerMessage(909, LogLevel.Warning, "Another step of the round failed as well")]
        public static partial void AlsoFailed(ILogger logger, Exception exception);

        [LoggerMessage(904, LogLevel.Warning, "EC2 did not {Verdict} {Count} connections, such as {Endpoint}: {Code}")]
        public static partial void Unsuccessful(ILogger logger, int count, Verdict verdict, string endpoint, string code);
    }
}
