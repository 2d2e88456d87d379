using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Serialization;
using NetAutomation.Billing;
using NetAutomation.Persistence;
using NetAutomation.Runs.Follow;
using NetAutomation.Web;

namespace NetAutomation.Runs.Plans;

/// <summary>Where a plan stands; docs/plans.md draws the states.</summary>
public enum PlanState
{
    /// <summary>Its check is under way.</summary>
    Planning,

    /// <summary>It can be applied, or approved.</summary>
    Ready,

    /// <summary>Another member has approved it.</summary>
    Approved,

    /// <summary>It was applied.</summary>
    Used,

    /// <summary>The check did not end well on every device.</summary>
    Failed,

    /// <summary>A member has refused it, or its author has withdrawn it.</summary>
    Refused,

    /// <summary>Its time is over.</summary>
    Expired,

    /// <summary>It was applied, and no device was any more as it was planned for.</summary>
    Drifted,
}

/// <summary>A change as it was checked: it is applied once, as it is.</summary>
/// <param name="Id">Pass as planId to apply it.</param>
/// <param name="State">Where it stands.</param>
/// <param name="Block">Slug of the block.</param>
/// <param name="Version">Pinned version.</param>
/// <param name="BlockDigest">Digest of that version.</param>
/// <param name="PlatformDigest">Digest of the pinned version of the devices' platform; with several platforms, one over them all.</param>
/// <param name="Effect">What the block may do.</param>
/// <param name="Targets">As asked for.</param>
/// <param name="Input">As given; the versions of its secrets are pinned.</param>
/// <param name="Lines">The price of applying it, one line for each component.</param>
/// <param name="Ceiling">The most that applying it can cost.</param>
/// <param name="AllowFailed">It may be applied without the devices that fail the check.</param>
/// <param name="ApprovalRequired">The change policy asks, as it is now, for the approval of another member than the author.</param>
/// <param name="Summary">Devices by the outcome of the check.</param>
/// <param name="CheckRunId">The run that checks it.</param>
/// <param name="RunId">The run that applied it.</param>
/// <param name="CreatedBy">The author.</param>
/// <param name="Member">The author's name now.</param>
/// <param name="CreatedAt">When it was made.</param>
/// <param name="ExpiresAt">Until when it can be applied.</param>
/// <param name="DecidedBy">Who approved or refused it.</param>
/// <param name="DecidedAt">When.</param>
/// <param name="Reason">Why it was refused.</param>
/// <param name="Guard">How the changes of applying it go back unless they hold; null where they do not.</param>
public sealed record PlanView(
    PlanId Id, PlanState State, string Block, string Version, string BlockDigest, string? PlatformDigest, string Effect,
    JsonElement Targets, JsonElement Input, IReadOnlyList<PriceLine> Lines, Money Ceiling, bool AllowFailed, bool ApprovalRequired,
    RunSummary Summary, RunId CheckRunId, RunId? RunId, MemberId CreatedBy, string Member, DateTimeOffset CreatedAt,
    DateTimeOffset ExpiresAt, MemberId? DecidedBy, DateTimeOffset? DecidedAt, string? Reason, GuardView? Guard)
{
    /// <summary>Of the row p: an open one is over when its time is.</summary>
    internal static readonly FormattableString StateNow = FormattableStringFactory.Create(
        "case when p.state in ('planning', 'ready', 'approved') and p.expires_at <= now() then 'expired' else p.state end");

    /// <summary>Of the row p: another one once it is expired.</summary>
    internal static readonly FormattableString VersionNow = FormattableStringFactory.Create(
        "p.version + (p.state in ('planning', 'ready', 'approved') and p.expires_at <= now())::int");

    /// <summary>Shown as the ETag.</summary>
    [JsonIgnore]
    public int Revision { get; init; }

    internal static async Task<PlanView?> Find(NetAutomationDb db, TenantId tenant, PlanId id, CancellationToken cancel) =>
        (await Read(db, tenant, $"and p.id = {id.Value}", 1, cancel)).FirstOrDefault().Plan;

    /// <summary>Plans of a page, with the number of those there were before the page became too long.</summary>
    internal static async Task<List<(PlanView Plan, long Found)>> Read(
        NetAutomationDb db, TenantId tenant, FormattableString condition, int take, CancellationToken cancel)
    {
        var rows = await db.QueryAs<Row>(
            tenant,
            $"""
            select p.id, p.state, p.revision, p.block, p.version, p.digest, p.platform_digest, p.effect, p.targets, p.input, p.lines,
              p.ceiling_micros as ceiling, p.allow_failed, p.created_by, p.created_at, p.expires_at, p.decided_by, p.decided_at, p.reason,
              p.found, runs.needs_approval(p.tenant_id, p.block, p.effect, p.device_ids) as approval_required, c.id as check_run_id,
              c.guard,
              (select a.id from runs.run a where a.tenant_id = p.tenant_id and a.plan_id = p.id and a.mode = 'apply') as run_id, d.*,
              (select name from onboarding.member m where m.tenant_id = p.tenant_id and m.id = p.created_by) as member
            from (select *, count(*) over () as found, coalesce(sum(octet_length(targets::text) + octet_length(input::text))
                    over (order by id desc rows between unbounded preceding and 1 preceding), 0) as before
                  from (select p.tenant_id, p.id, {StateNow} as state, {VersionNow} as revision, p.allow_failed, p.created_by,
                          p.created_at, p.expires_at, p.decided_by, p.decided_at, p.reason, q.block, q.version, q.digest,
                          q.platform_digest, q.effect, q.targets, q.input, q.lines, q.ceiling_micros, q.device_ids
                        from runs.plan p join runs.quote q on q.tenant_id = p.tenant_id and q.id = p.quote_id
                        where p.tenant_id = {tenant.Value} {condition} order by p.id desc limit {take}) page) p
            join runs.run c on c.tenant_id = p.tenant_id and c.plan_id = p.id and c.mode = 'check'
            cross join lateral (
              select count(*) as total, count(*) filter (where outcome is null) as pending, {DeviceOutcomes.Counts}
              from runs.run_device d where d.tenant_id = c.tenant_id and d.run_id = c.id) d
            where p.before < {PageQuery.MostBytes}
            order by p.id desc
            """,
            cancel);
        return [.. rows.Select(row => (row.View(), row.Found))];
    }

    private sealed record Row(
        PlanId Id, PlanState State, int Revision, string Block, string Version, string Digest, string? PlatformDigest, string Effect,
        JsonElement Targets, JsonElement Input, string Lines, Money Ceiling, bool AllowFailed, bool ApprovalRequired, RunId CheckRunId,
        RunId? RunId, MemberId CreatedBy, string Member, DateTimeOffset CreatedAt, DateTimeOffset ExpiresAt, MemberId? DecidedBy,
        DateTimeOffset? DecidedAt, string? Reason, string? Guard, long Found, long Total, long Pending, long Ok, long Changed,
        long Reverted, long Failed, long Unreachable, long NotStarted, long Unknown)
    {
        public PlanView View() => new(
            Id, State, Block, Version, Digest, PlatformDigest, Effect, Targets, Input,
            JsonSerializer.Deserialize<List<PriceLine>>(Lines, Json.Api)!, Ceiling, AllowFailed, ApprovalRequired,
            new RunSummary(Total, Pending, Ok, Changed, Reverted, Failed, Unreachable, NotStarted, Unknown), CheckRunId, RunId, CreatedBy,
            Member,
            CreatedAt, ExpiresAt, DecidedBy, DecidedAt, Reason, GuardView.Of(Guard))
        { Revision = Revision };
    }
}
