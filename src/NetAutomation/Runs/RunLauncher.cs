using System.Diagnostics;
using System.Text.Json;
using NetAutomation.Billing;
using NetAutomation.Inventory;
using NetAutomation.Persistence;
using NetAutomation.Runs.Plans;
using NetAutomation.Runs.Start;
using NetAutomation.Web;
using NetAutomation.Web.Telemetry;

namespace NetAutomation.Runs;

/// <summary>The origin of a run that is not a request of its own.</summary>
/// <param name="Occurrence">The scheduled instant, as text; with the schedule it names one run.</param>
/// <param name="RelaunchOf">The run it repeats.</param>
/// <param name="CheckOf">The plan that it is the check of.</param>
/// <param name="Approved">Another member has approved it, so the change policy lets it start.</param>
/// <param name="Guard">Of the check of a plan: that of its apply.</param>
internal sealed record RunOrigin(
    ScheduleId? Schedule = null, string? Occurrence = null, RunId? RelaunchOf = null, PlanId? CheckOf = null, bool Approved = false,
    RunGuard? Guard = null);

/// <summary>A run that could start now.</summary>
/// <param name="Rule">The rule of the change policy that asks for another member's approval of it; null where none does.</param>
internal sealed record Startable(IReadOnlyList<DeviceId> Devices, string? Rule);

/// <summary>The one way a run starts, for requests and schedules alike.</summary>
internal sealed class RunLauncher(
    NetAutomationDb db, Planner planner, PlanStates plans, UsageLedger ledger, WindowCalendars windows, RunSignals signals,
    AuditLog audit, EngineVersion engine, TimeProvider clock)
{
    /// <summary>Refusals of a plan, beyond those of every request.</summary>
    public static readonly ProblemType[] PlanRefusals =
        [
            Purchasing.Problems.NoEntitlement, Billing.Problems.PriceAboveMax, Catalog.Problems.VersionWithdrawn, Problems.ModeNotSupported,
            Problems.GuardNotApplicable, Problems.TimerTooShort,
        ];

    /// <summary>Quote, money and place in the queue, in the caller's transaction.</summary>
    /// <param name="origin">The schedule's occurrence; it starts at most one run.</param>
    public async Task<Outcome<RunId>> Start(Caller caller, StartRunRequest body, RunOrigin? origin, CancellationToken cancel)
    {
        if (origin?.Schedule is not null)
        {
            // A run of a schedule belongs to no request.
            Activity.Current = null;
        }

        using var span = Spans.Start("enqueue", ActivityKind.Producer);
        if (Refusal(body, clock) is { } refused)
        {
            return refused;
        }

        var (quoteId, planId) = (body.QuoteId, body.PlanId);
        if (planId is { } id)
        {
            if ((await plans.Take(caller, id, body.StartBy, cancel)).Refused(out var unusable, out var taken))
            {
                return unusable;
            }

            quoteId = taken;
        }

        if ((await (quoteId is { } quote
            ? Quoted(caller, quote, body, planId, origin, cancel) : Fresh(caller, body, origin, cancel)))
            .Refused(out var problem, out var planned))
        {
            return problem;
        }

        var run = RunId.New();
        if (await ledger.Reserve(caller.Tenant, run, planned.Plan.Lines, planned.Request.MaxPrice, cancel) is { } unpaid)
        {
            return unpaid;
        }

        var by = origin?.Schedule?.ToString() ?? caller.MemberId.ToString();
        Enqueue(caller, run, planned, origin, planId ?? origin?.CheckOf, by);
        await windows.Refresh(caller.Tenant, cancel, planned.Plan.Devices.Select(device => device.DeviceId));
        await audit.Append(
            caller.Tenant, by, caller.Member, origin?.Schedule is null ? caller.EndpointId : null, "run.started", run.ToString(),
            new
            {
                planned.Plan.Block.Slug, planned.Plan.Block.Version, planned.Plan.Mode, devices = planned.Plan.Devices.Count, planId
            },
            cancel);
        db.AfterCommit.Add(signals.RingWork);
        return run;
    }

    /// <summary>The devices it would run on now, or why it could not start. Nothing is stored.</summary>
    public async Task<Outcome<Startable>> Plan(Caller caller, StartRunRequest body, CancellationToken cancel)
    {
        if (Refusal(body, clock) is { } refused)
        {
            return refused;
        }

        return (await planner.Plan(body, caller, cancel)).Refused(out var problem, out var plan)
            ? problem
            : new Startable(
                [.. plan.Devices.Select(device => device.DeviceId)], (await ChangePolicy.Asking(db, caller.Tenant, plan, cancel))?.Text);
    }

    /// <summary>What is to be done where a schedule needs an approval.</summary>
    public static string Approving(ScheduleId id) => $"Another member approves the schedule with POST /v1/schedules/{id}:approve.";

    /// <summary>What is wrong with a request whatever it is of.</summary>
    public static Problem? Refusal(StartRunRequest body, TimeProvider clock)
    {
        if (body.PlanId is not null && Given(body with { PlanId = null, StartBy = null }) is { Count: > 0 } planned)
        {
            return new Problem(
                Web.Problems.Refused, "The plan already says this.",
                [.. planned.Select(name => new ProblemError($"/{name}", "not_with_plan", "Not together with planId."))]);
        }

        if (body.QuoteId is not null
            && Given(body with { QuoteId = null, StartBy = null, MaxPrice = null, Labels = null, Priority = null })
                is { Count: > 0 } quoted)
        {
            return new Problem(
                Web.Problems.Refused, "The quote says this, or the lack of it.",
                [.. quoted.Select(name => new ProblemError(
                    $"/{name}", "not_with_quote", "Not together with quoteId: it belongs into the quote."))]);
        }

        return body switch
        {
            { StartBy: { } startBy } when startBy <= clock.GetUtcNow() =>
                Web.Problems.Refused.At("/startBy", "in_the_past", "The time has passed."),
            { Rollout: { BatchSize: < 1 } or { MaxFailures: < 0 } } =>
                Web.Problems.Refused.At("/rollout", "out_of_range", "batchSize is at least 1, maxFailures at least 0."),
            { Priority: < 0 or > 9 } => Web.Problems.Refused.At("/priority", "out_of_range", "The priority is 0 to 9."),
            { Labels: { } labels } when labels.Count > 20
                || labels.Any(label => label.Key.Length is 0 or > 63 || label.Value is null or { Length: > 255 }) =>
                Web.Problems.Refused.At("/labels", "out_of_range", "At most 20 labels, keys of 1-63 and values of up to 255 characters."),
            { Labels: { } labels } when !labels.All(label => ShownText.IsShown(label.Key) && ShownText.IsShown(label.Value)) =>
                Web.Problems.Refused.At("/labels", "control_character", "Control and invisible characters are refused."),
            _ => null,
        };
    }

    /// <summary>Names of the members that are there.</summary>
    private static List<string> Given(StartRunRequest body) =>
        [.. JsonSerializer.SerializeToElement(body, Json.Api).EnumerateObject()
            .Where(member => member.Value.ValueKind != JsonValueKind.Null).Select(member => member.Name)];

    private async Task<Outcome<Planned>> Fresh(Caller caller, StartRunRequest body, RunOrigin? origin, CancellationToken cancel) =>
        (await planner.Plan(body, caller, cancel)).Refused(out var problem, out var plan)
            || (await Unapproved(caller, plan, origin, cancel)).Refused(out problem, out plan)
            ? problem : new Planned(QuoteRun.Store(db, caller, body, plan, engine, open: false), plan, body);

    /// <summary>A write that no other member has approved is refused where the change policy asks for that.</summary>
    private async Task<Outcome<RunPlan>> Unapproved(Caller caller, RunPlan plan, RunOrigin? origin, CancellationToken cancel) =>
        origin is not { Approved: true } && await ChangePolicy.Asking(db, caller.Tenant, plan, cancel) is { } rule
            ? rule.Refusal(
                origin?.Schedule is { } schedule
                    ? Approving(schedule)
                    : "Make a plan of it with POST /v1/plans; once another member has approved that with POST /v1/plans/{id}:approve, "
                        + "POST /v1/runs takes it as planId.")
            : plan;

    /// <summary>
    /// Plans the run of the quote again. A different plan is drift; an equal one costs what the quote says.
    /// </summary>
    /// <param name="planId">The plan that the quote was made for; it starts nothing else.</param>
    private async Task<Outcome<Planned>> Quoted(
        Caller caller, QuoteId id, StartRunRequest body, PlanId? planId, RunOrigin? origin, CancellationToken cancel)
    {
        var drift = planId is null ? Problems.QuoteDrift : Problems.PlanDrift;
        await db.Execute($"select pg_advisory_xact_lock(hashtextextended({id.ToString()}, 0))", cancel);
        var rows = await db.Query<Row>(
            $"""
            select block, version, digest, platforms, mode, effect, device_ids, input, secrets, lines, timeout_seconds, targets,
              request, guard, expires_at <= now() as expired,
              exists (select from runs.run r where r.tenant_id = q.tenant_id and r.quote_id = q.id) as used
            from runs.quote q where tenant_id = {caller.Tenant.Value} and id = {id.Value}
              and (select p.id from runs.plan p where p.tenant_id = q.tenant_id and p.quote_id = q.id)
                is not distinct from {planId?.Value}::uuid
            """,
            cancel);
        if (rows is not [var quote])
        {
            return Web.Problems.Refused.At("/quoteId", "unknown_quote", "There is no such quote.");
        }

        if (quote.Used)
        {
            return Problems.QuoteUsed.With();
        }

        if (quote.Expired)
        {
            return Problems.QuoteExpired.With();
        }

        var quoted = StartRunRequest.Again(
            quote.Request, quote.Block, quote.Version, quote.Effect, quote.Mode,
            [.. quote.DeviceIds.Select(device => new DeviceId(device))], quote.Input);
        var pinned = quoted with
        {
            TimeoutSeconds = quote.TimeoutSeconds,
            Guard = quote.Guard is { } guard
                ? quoted.Guard! with { ConfirmSeconds = GuardView.Json(guard).ConfirmSeconds } : quoted.Guard,
        };
        if ((await planner.Plan(pinned, caller, cancel)).Refused(out var problem, out var plan))
        {
            return problem.StatusCode == 402 || problem.Type == Catalog.Problems.VersionWithdrawn
                ? problem : drift.With(problem.Errors is [var first, ..] ? first.Detail : problem.Detail);
        }

        var platforms = JsonSerializer.Deserialize<SortedDictionary<string, string>>(quote.Platforms)!;
        if (plan.Block.Digest != quote.Digest || !plan.Platforms.Keys.SequenceEqual(platforms.Keys))
        {
            return drift.With();
        }

        var secrets = JsonSerializer.Deserialize<Dictionary<CredentialId, int>>(quote.Secrets, Json.Api)!;
        if (!secrets.ToHashSet().SetEquals(plan.Secrets))
        {
            return drift.With("A secret of the input was rotated.");
        }

        if (planId is null && (await Unapproved(caller, plan, origin, cancel)).Refused(out problem, out plan))
        {
            return problem;
        }

        db.SendWithNext($"update runs.quote set open = false where tenant_id = {caller.Tenant.Value} and id = {id.Value}");
        var lines = JsonSerializer.Deserialize<List<PriceLine>>(quote.Lines, Json.Api)!;
        return new Planned(
            id, plan with
            {
                Platforms = platforms,
                Lines = lines,
                Targets = JsonSerializer.Deserialize<Targets>(quote.Targets, Json.Api)!
            },
            quoted with
            {
                StartBy = body.StartBy,
                MaxPrice = body.MaxPrice ?? quoted.MaxPrice,
                Labels = body.Labels ?? quoted.Labels,
                Priority = body.Priority ?? quoted.Priority,
            });
    }

    private void Enqueue(
        Caller caller, RunId run, Planned planned, RunOrigin? origin, PlanId? planId, string by)
    {
        var (plan, body) = (planned.Plan, planned.Request);
        var (tenant, mode, effect, queued) =
            (caller.Tenant.Value, Wire.Name(plan.Mode), Wire.Name(plan.Block.Effect), Wire.Name(RunState.Queued));
        var platforms = JsonSerializer.Serialize(plan.Platforms, Json.Api);
        var (targets, labels) = (JsonSerializer.Serialize(plan.Targets, Json.Api), JsonSerializer.Serialize(body.Labels ?? [], Json.Api));
        var guard = JsonSerializer.Serialize(plan.Guard ?? origin?.Guard, Json.Api);
        var rollout = body.Rollout is null ? null : JsonSerializer.Serialize(body.Rollout, Json.Api);
        db.SendWithNext(
            $"""
            insert into runs.run (
              tenant_id, id, state, terminal, transition, quote_id, block, version, digest, platforms, platform_digest, effect, mode,
              targets, input, input_hash, labels, rollout, priority, start_by, timeout_seconds, ceiling_micros, created_by, last_seq,
              schedule_id, occurrence, relaunch_of, plan_id, trace_parent, guard, request)
            values (
              {tenant}, {run.Value}, {queued}, false, 1, {planned.Quote.Value}, {plan.Block.Slug}, {plan.Block.Version},
              {plan.Block.Digest}, {platforms}::jsonb, {plan.PlatformDigest}, {effect}, {mode},
              {targets}::jsonb, {plan.Input.GetRawText()}::jsonb, {plan.InputHash}, {labels}::jsonb, {rollout}::jsonb,
              {body.Priority ?? 0}, {body.StartBy}, {plan.TimeoutSeconds}, {plan.Ceiling.Micros}, {caller.MemberId.Value}, 1,
              {origin?.Schedule?.Value}, {origin?.Occurrence}, {origin?.RelaunchOf?.Value}, {planId?.Value},
              {Spans.Here}, nullif({guard}::jsonb, 'null'), {body.Rest()}::jsonb)
            """);
        db.SendWithNext(
            $"""
            insert into runs.run_transition (tenant_id, run_id, seq, from_state, to_state, fence, by)
            values ({tenant}, {run.Value}, 1, 'none', {queued}, 0, {by})
            """);
        db.SendWithNext(
            $"""
            insert into runs.run_event (tenant_id, run_id, run_day, seq, type, attempt, data)
            select tenant_id, id, created_day, 1, 'state', 0, jsonb_build_object('state', {queued}::text)
            from runs.run where tenant_id = {tenant} and id = {run.Value}
            """);
        Guid[] ids = [.. plan.Devices.Select(device => device.DeviceId.Value)];
        string[] names = [.. plan.Devices.Select(device => device.Name)];
        string[] systems = [.. plan.Devices.Select(device => device.Platform)];
        Guid[] sites = [.. plan.Devices.Select(device => device.SiteId.Value)];
        db.SendWithNext(
            $"""
            insert into runs.run_device (tenant_id, run_id, device_id, position, name, platform, site_id)
            select {tenant}, {run.Value}, d, n, name, p, s
            from unnest({ids}, {names}, {systems}, {sites}) with ordinality as t (d, name, p, s, n)
            """);
    }

    /// <param name="Request">As it was asked for, here or of the quote.</param>
    private sealed record Planned(QuoteId Quote, RunPlan Plan, StartRunRequest Request);

    private sealed record Row(
        string Block, string Version, string Digest, string Platforms, RunMode Mode, string Effect, Guid[] DeviceIds, JsonElement Input,
        string Secrets, string Lines, int TimeoutSeconds, string Targets, string Request, string? Guard, bool Expired, bool Used);
}
