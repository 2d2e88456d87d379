using System.Runtime.ExceptionServices;
using System.Text.Json;
using Microsoft.Extensions.Options;
using NetAutomation.Connections.Policy;
using NetAutomation.Persistence;
using NetAutomation.Web;

namespace NetAutomation.Connections.Reconciling;

/// <summary>
/// One round of making EC2 and the database agree. It assumes nothing about the round before and may end anywhere: what EC2 shows now is
/// stored, decided and acted upon, each step by itself, and what EC2 refused is looked at again later.
/// </summary>
internal sealed partial class Reconcile(
    SystemDb db,
    EndpointServiceApi api,
    AllowedPrincipals principals,
    IOptions<ConnectionsOptions> options,
    BindingDirectory directory,
    BindingBell bell,
    ConnectionMetrics metrics,
    TimeProvider time,
    ILogger<Reconcile> log)
{
    private const int AtOnce = 1000;

    // What was listed before is old by then: endings must not wait for a long queue of acceptances.
    private static readonly TimeSpan _fresh = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan _lag = TimeSpan.FromSeconds(30);

    // What a throttled EC2 may take of a round that has accepted nothing yet, and of one that has.
    private static readonly TimeSpan _verify = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan _keep = TimeSpan.FromMinutes(1);

    // A connection that stays on its way is looked at less often.
    private static readonly TimeSpan _patience = TimeSpan.FromMinutes(5);
    private ExceptionDispatchInfo? _fault;

    private string Service => options.Value.ServiceId;

    /// <summary>Answers after what pause the next look is due.</summary>
    public async Task<TimeSpan> Run(CancellationToken cancel)
    {
        // What the listing before stored counts, also where a later page of it never came.
        await EndBindings(cancel);
        var (seen, unreadable) = (new List<Observed>(), new List<string>());
        await foreach (var page in api.Connections(unreadable, cancel))
        {
            await EndpointConnections.Store(db, Service, page, cancel);
            seen.AddRange(page);
        }

        var listed = time.GetTimestamp();
        if (unreadable.Count > 0)
        {
            Log.Unreadable(log, unreadable.Count, unreadable[0]);
        }

        if (!unreadable.Contains("")
            && await EndpointConnections.Miss(db, Service, seen, unreadable, options.Value.GoneAfter, cancel) is { Length: > 0 } gone)
        {
            // To a stranger EC2 lists nothing and calls it success; what only the service's owner may ask tells the two apart.
            await Attempt(_verify, async soon => await api.Principals(soon), () => EndpointConnections.Lose(db, gone, cancel), cancel);
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
        await Attempt(_keep, principals.Keep, null, cancel);
        var pause = done ? await Pause(cancel) : TimeSpan.Zero;
        _fault?.Throw();
        return pause;
    }

    /// <summary>A step that may fail by itself: the others are done all the same, and the round counts as failed.</summary>
    private async Task Attempt(TimeSpan longest, Func<CancellationToken, Task> step, Func<Task>? then, CancellationToken cancel)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        limit.CancelAfter(longest);
        try
        {
            await step(limit.Token);
            await (then?.Invoke() ?? Task.CompletedTask);
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
    /// A person's decision stands; the policy's is made again until the connection is settled. One that the policy rejected may be taken
    /// back; one that somebody else rejected is left alone. What was rejected while it was a tenant's is taken back for that tenant or not
    /// at all: the account may be another tenant's too, and nobody but a person gives one tenant's endpoint to another.
    /// </summary>
    private async Task Decide(CancellationToken cancel)
    {
        var open = await db.Query<Open>(
            $"""
            select c.id, c.owner, c.region, c.tags::text as tags, c.state, c.decision, d.verdict, d.rule, d.bound_tenant, coalesce(d.takes_back, false) as takes_back
            from onboarding.endpoint_connection c left join onboarding.acceptance_decision d on d.id = c.decision
              left join onboarding.tenant t on t.tenant_id = d.bound_tenant
              left join onboarding.tenant_account a on a.tenant_id = d.bound_tenant and a.account = c.owner
            where c.service_id = {Service} and c.missed = 0 and coalesce(d.made_by, 'policy') = 'policy'
              and lower(c.state) in ('pendingacceptance', 'pending', 'available', 'rejected')
              and case when d.verdict = 'reject' and d.bound_tenant is not null then t.state = 'active' and a.active is distinct from false
                       else lower(c.state) = 'pendingacceptance' or (lower(c.state) in ('pending', 'available') and coalesce(d.verdict, 'leave') = 'leave')
                         or (lower(c.state) = 'rejected' and (d.verdict = 'reject' or (d.verdict = 'leave' and d.takes_back))) end
            order by c.endpoint_created_at, c.id
            """,
            cancel);
        if (open.Count == 0)
        {
            return;
        }

        var policy = await AcceptancePolicy.Load(db, time.GetUtcNow(), cancel);
        var made = new List<Made>();
        foreach (var each in open)
        {
            var tags = JsonSerializer.Deserialize<Dictionary<string, string>>(each.Tags, Json.Api)!;
            var own = each.Verdict == Verdict.Reject ? each.BoundTenant : null;
            var decision = policy.Decide(new Candidate(each.Owner, each.Region ?? options.Value.Region, tags, each.Id), own);
            if (own is not null && decision.Verdict != Verdict.Accept)
            {
                continue;
            }

            if ((decision.Verdict != each.Verdict || decision.Rule != each.Rule || decision.BoundTenant != each.BoundTenant)
                && (each.Verdict != Verdict.Reject || decision.Verdict == Verdict.Accept || !IsRejected(each.State)))
            {
                made.Add(
                    new Made(each.Id, each.Decision, each.TakesBack || IsRejected(each.State) || each.Verdict == Verdict.Reject, decision));
            }
        }

        await Write(made, cancel);
    }

    /// <summary>
    /// Reading after the end, or the grace of a suspension, is over: the endpoint goes as well. So do those of an account that was taken
    /// away.
    /// </summary>
    private async Task RejectWhatIsOver(CancellationToken cancel)
    {
        TimeSpan? grace = options.Value.RejectSuspendedAfter > TimeSpan.Zero ? options.Value.RejectSuspendedAfter : null;
        var over = await db.Query<Over>(
            $"""
            select c.id, c.decision, t.tenant_id, case t.state when 'ended' then 'agreement_ended' when 'suspended' then 'agreement_suspended' else 'account_removed' end as rule
            from onboarding.endpoint_connection c join onboarding.acceptance_decision d on d.id = c.decision
            join onboarding.tenant t on t.tenant_id = d.bound_tenant
            left join onboarding.tenant_account a on a.tenant_id = t.tenant_id and a.account = c.owner
            where c.service_id = {Service} and c.missed < {EndpointConnections.MissedUntilGone} and d.verdict = 'accept'
              and lower(c.state) in ('pendingacceptance', 'pending', 'available')
              and ((t.state = 'ended' and t.reads_until <= now()) or (t.state = 'suspended' and coalesce(t.suspended_at, t.changed_at) + {grace}::interval <= now())
                or (not a.active and (d.made_by = 'policy' or d.at < coalesce(a.removed_at, 'infinity'))))
            """,
            cancel);
        await Write(
            [
                .. over.Select(each => new Made(each.Id, each.Decision, false, new Decision(
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

    private async Task Write(List<Made> made, CancellationToken cancel)
    {
        foreach (var some in made.Chunk(AtOnce))
        {
            await Decisions.Write(db, some, "policy", cancel);
        }

        foreach (var group in made.GroupBy(each => (each.Decision.Verdict, each.Decision.Rule)))
        {
            metrics.Decided(group.Key.Verdict, group.Count());
            Log.Decided(log, group.Count(), group.Key.Verdict, group.Key.Rule);
        }
    }

    /// <summary>False where the round left something for the next one.</summary>
    private async Task<bool> Act(long listed, CancellationToken cancel)
    {
        var due = await db.Query<Due>(
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
        foreach (var group in due.GroupBy(each => each.Verdict))
        {
            // Rejecting that fails keeps nobody waiting to be accepted.
            await Attempt(
                Timeout.InfiniteTimeSpan,
                async _ =>
                {
                    foreach (var some in group.Chunk(EndpointServiceApi.AtOnce))
                    {
                        if (time.GetElapsedTime(listed) > _fresh)
                        {
                            done = false;
                            return;
                        }

                        await Ask(group.Key, some, cancel);
                    }
                },
                null,
                cancel);
        }

        return done;
    }

    /// <summary>EC2 may show the state of before for a while, so what it did is not asked for again at once.</summary>
    private async Task Ask(Verdict verdict, Due[] some, CancellationToken cancel)
    {
        var faults = await api.Decide(verdict == Verdict.Accept, [.. some.Select(each => each.EndpointId)], cancel);
        Guid[] ids = [.. some.Select(each => each.Id)];
        Guid[] decisions = [.. some.Select(each => each.Decision)];
        // Whatever the code: the state changed under us, or never lets it happen; a later round looks again.
        string?[] codes = [.. some.Select(each => faults.GetValueOrDefault(each.EndpointId))];
        await db.Query<Guid>(
            $"""
            update onboarding.endpoint_connection c
            set asked = r.decision, fault = r.code, attempts = case when r.code is null then 0 else c.attempts + 1 end,
                ask_at = now() + case when r.code is null then {_lag} else least({options.Value.PendingInterval} * power(2, least(c.attempts, 20)), interval '1 hour') * (0.75 + random() / 4) end
            from unnest({ids}, {decisions}, {codes}) as r(id, decision, code) where c.id = r.id and c.decision = r.decision
            returning c.id
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
            select count(*) filter (where moving or waiting) as pending, min(now() - since) filter (where moving and fault is null) as moving_for,
                   coalesce(bool_or(waiting), false) as is_waiting, min(ask_at) filter (where moving and fault is not null) - now() as again,
                   coalesce(now() - min(first_seen_at) filter (where state = 'pendingacceptance'), interval '0') as oldest
            from (select lower(c.state) as state, c.first_seen_at, c.fault, c.ask_at, greatest(c.state_at, d.at, c.missed_at) as since,
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
        Guid Id, string Owner, string? Region, string Tags, string State, Guid? Decision, Verdict? Verdict, string? Rule, Guid? BoundTenant,
        bool TakesBack);

    private sealed record Over(Guid Id, Guid? Decision, Guid TenantId, string Rule);

    private sealed record Due(Guid Id, string EndpointId, Guid Decision, Verdict Verdict);

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
