using System.Text.Json;
using NetAutomation.Persistence;
using NetAutomation.Web;

namespace NetAutomation.Runs.Follow;

/// <summary>Devices by outcome.</summary>
/// <param name="Total">All targets.</param>
/// <param name="Pending">No outcome yet.</param>
/// <param name="Reverted">The guard took the change back.</param>
public sealed record RunSummary(
    long Total, long Pending, long Ok, long Changed, long Reverted, long Failed, long Unreachable,
    [property: System.Text.Json.Serialization.JsonPropertyName("not_started")] long NotStarted, long Unknown);

/// <summary>Why a run failed.</summary>
/// <param name="Code">Stable code.</param>
/// <param name="Detail">In words.</param>
public sealed record RunFailure(string Code, string? Detail);

/// <summary>One execution of one block version on the target devices.</summary>
/// <param name="Id">The run.</param>
/// <param name="State">Where it stands.</param>
/// <param name="Terminal">True where the state is final.</param>
/// <param name="Attempt">How often a worker took it.</param>
/// <param name="Block">Slug of the block.</param>
/// <param name="Version">Pinned version.</param>
/// <param name="Digest">Digest of that version: the older name of <c>blockDigest</c>.</param>
/// <param name="BlockDigest">Digest of that version.</param>
/// <param name="PlatformDigest">Digest of the pinned version of the devices' platform; with several platforms, one over them all.</param>
/// <param name="EngineVersion">Version of the engine that took it last; null before.</param>
/// <param name="Effect">What the block may do.</param>
/// <param name="Mode">check or apply.</param>
/// <param name="Targets">As asked for.</param>
/// <param name="Input">As given.</param>
/// <param name="QuoteId">The quote it was started from.</param>
/// <param name="Ceiling">The most it can cost; held.</param>
/// <param name="Charged">What it cost; null until final.</param>
/// <param name="Summary">Devices by outcome.</param>
/// <param name="Failure">Why it failed.</param>
/// <param name="PlanId">The plan that it checks or applies.</param>
/// <param name="Guard">How its changes go back unless they hold; null where they do not.</param>
/// <param name="Rollout">How it is spread over the devices.</param>
/// <param name="TimeoutSeconds">Its hard limit.</param>
/// <param name="StartBy">Not started by then: expired, and free.</param>
/// <param name="MaxPrice">As asked for.</param>
/// <param name="RelaunchOf">The run it repeats.</param>
/// <param name="ScheduleId">The schedule that started it.</param>
/// <param name="Occurrence">The schedule's occurrence that started the run.</param>
/// <param name="CreatedBy">The member that started it, or made its schedule.</param>
/// <param name="Member">The member's name now.</param>
/// <param name="CreatedAt">When it was accepted.</param>
/// <param name="StartedAt">When it began to run.</param>
/// <param name="FinishedAt">When it became final.</param>
/// <param name="FinalSeq">Number of its last event.</param>
/// <param name="Labels">Your own words for it.</param>
/// <param name="Priority">Among your own queued runs, higher ones start first.</param>
/// <param name="TraceId">Names the run in the provider's traces and logs: 32 hex digits.</param>
public sealed record RunView(
    RunId Id, RunState State, bool Terminal, int Attempt, string Block, string Version, string Digest, string BlockDigest,
    string? PlatformDigest,
    string? EngineVersion, string Effect, RunMode Mode, JsonElement Targets, JsonElement Input,
    QuoteId QuoteId, Money Ceiling, Money? Charged, RunSummary Summary, RunFailure? Failure, PlanId? PlanId, GuardView? Guard,
    Rollout? Rollout, int TimeoutSeconds, DateTimeOffset? StartBy, Money? MaxPrice,
    RunId? RelaunchOf, ScheduleId? ScheduleId, string? Occurrence,
    MemberId CreatedBy, string Member, DateTimeOffset CreatedAt, DateTimeOffset? StartedAt, DateTimeOffset? FinishedAt, long? FinalSeq,
    JsonElement Labels, int Priority, string? TraceId)
{
    internal static async Task<RunView?> Find(NetAutomationDb db, TenantId tenant, RunId id, CancellationToken cancel) =>
        (await Read(db, tenant, new RunFilter(id.Value, null, null, null, null), null, 1, cancel)).FirstOrDefault().Run;

    /// <summary>Runs of a page, with the number of those there were before the page became too long.</summary>
    internal static async Task<List<(RunView Run, long Found)>> Read(
        NetAutomationDb db, TenantId tenant, RunFilter filter, Guid? below, int take, CancellationToken cancel)
    {
        var rows = await db.QueryAs<Row>(
            tenant,
            $"""
            select r.id, r.state, r.terminal, r.attempt, r.block, r.version, r.digest, r.platform_digest, r.engine_version, r.effect,
              r.mode, r.targets, r.input, r.quote_id, r.ceiling_micros as ceiling, r.charged_micros as charged, r.failure_code,
              r.failure_detail, r.plan_id, r.guard, r.relaunch_of, r.schedule_id, r.occurrence, r.created_by, r.created_at, r.started_at,
              r.finished_at, r.final_seq, r.labels, r.priority, r.trace_id, r.found, r.timeout_seconds, r.start_by, r.request, d.*,
              (select name from onboarding.member m where m.tenant_id = r.tenant_id and m.id = r.created_by) as member
            from (select *, count(*) over () as found, coalesce(sum(octet_length(targets::text) + octet_length(input::text))
                    over (order by id desc rows between unbounded preceding and 1 preceding), 0) as before
                  from (select * from runs.run r
                        where tenant_id = {tenant.Value} {filter.Condition()} {RunFilter.When(below, $"and id < {below}")}
                        order by id desc limit {take}) page) r
            cross join lateral (
              select count(*) as total, count(*) filter (where outcome is null) as pending, {DeviceOutcomes.Counts}
              from runs.run_device d where d.tenant_id = r.tenant_id and d.run_id = r.id) d
            where r.before < {PageQuery.MostBytes}
            order by r.id desc
            """,
            cancel);
        return [.. rows.Select(row => (row.View(), row.Found))];
    }

    private sealed record Row(
        RunId Id, RunState State, bool Terminal, int Attempt, string Block, string Version, string Digest, string? PlatformDigest,
        string? EngineVersion, string Effect, RunMode Mode, JsonElement Targets, JsonElement Input, QuoteId QuoteId, Money Ceiling,
        Money? Charged, string? FailureCode, string? FailureDetail, PlanId? PlanId, string? Guard, RunId? RelaunchOf,
        ScheduleId? ScheduleId,
        string? Occurrence, MemberId CreatedBy, string Member, DateTimeOffset CreatedAt, DateTimeOffset? StartedAt,
        DateTimeOffset? FinishedAt, long? FinalSeq, JsonElement Labels, int Priority, string? TraceId, long Found,
        int TimeoutSeconds, DateTimeOffset? StartBy, string Request,
        long Total, long Pending, long Ok, long Changed, long Reverted, long Failed, long Unreachable, long NotStarted, long Unknown)
    {
        public RunView View()
        {
            var asked = JsonSerializer.Deserialize<StartRunRequest>(Request, Json.Api)!;
            return new(
                Id, State, Terminal, Attempt, Block, Version, Digest, Digest, PlatformDigest, EngineVersion, Effect, Mode, Targets, Input,
                QuoteId, Ceiling, Charged, new RunSummary(Total, Pending, Ok, Changed, Reverted, Failed, Unreachable, NotStarted, Unknown),
                FailureCode is null ? null : new RunFailure(FailureCode, FailureDetail), PlanId, GuardView.Of(Guard), asked.Rollout,
                TimeoutSeconds, StartBy, asked.MaxPrice, RelaunchOf, ScheduleId, Occurrence, CreatedBy, Member, CreatedAt, StartedAt,
                FinishedAt, FinalSeq, Labels, Priority, TraceId);
        }
    }
}

/// <summary>Which runs of a list.</summary>
internal sealed record RunFilter(Guid? Id, string? State, string? Block, Guid? Device, DateTimeOffset? CreatedAfter, Guid? Schedule = null)
{
    /// <summary>Without the conditions that are not asked for: each text has its own plan.</summary>
    public FormattableString Condition() =>
        $"""
        {When(Id, $"and id = {Id}")} {When(State, $"and state = {State}")} {When(Block, $"and block = {Block}")}
        {When(CreatedAfter, $"and created_at > {CreatedAfter}")} {When(Schedule, $"and schedule_id = {Schedule}")}
        {When(
            Device,
            $"""
            and exists (
              select from runs.run_device x where x.tenant_id = r.tenant_id and x.run_id = r.id and x.device_id = {Device})
            """)}
        """;

    public static FormattableString When(object? asked, FormattableString condition) => asked is null ? $"" : condition;
}
