using System.Text.Json;
using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Billing;
using NetAutomation.Persistence;
using NetAutomation.Web;

namespace NetAutomation.Runs.Start;

/// <summary>Plan and price of a run, binding until it expires. It starts one run.</summary>
/// <param name="Id">Pass as quoteId to start the run.</param>
/// <param name="Block">Slug of the block.</param>
/// <param name="Version">Pinned version.</param>
/// <param name="BlockDigest">Digest of that version.</param>
/// <param name="PlatformDigest">Digest of what is known of the devices' platform, pinned; with several platforms, one over them
/// all.</param>
/// <param name="EngineVersion">Version of the engine that planned.</param>
/// <param name="Mode">check or apply.</param>
/// <param name="DeviceIds">The devices, frozen.</param>
/// <param name="InputHash">SHA-256 of the input.</param>
/// <param name="Lines">The price, one line for each component.</param>
/// <param name="Ceiling">The most the run can cost.</param>
/// <param name="Digest">Hash over everything above, and the limit of time.</param>
/// <param name="ExpiresAt">Until when it can be used.</param>
/// <param name="TimeoutSeconds">Hard limit of the run.</param>
/// <param name="Guard">How its changes go back unless they hold; null where they do not.</param>
/// <param name="Rollout">How it is spread over the devices.</param>
/// <param name="MaxPrice">As asked for.</param>
/// <param name="Labels">Your own words for the run, unless it is started with others.</param>
/// <param name="Priority">Among your own queued runs, unless it is started with another one.</param>
public sealed record QuoteView(
    QuoteId Id, string Block, string Version, string BlockDigest, string? PlatformDigest, string? EngineVersion, RunMode Mode,
    IReadOnlyList<DeviceId> DeviceIds, string InputHash, IReadOnlyList<PriceLine> Lines,
    Money Ceiling, string Digest, DateTimeOffset ExpiresAt, int TimeoutSeconds, GuardView? Guard, Rollout? Rollout, Money? MaxPrice,
    Dictionary<string, string> Labels, int Priority);

internal static class QuoteRun
{
    private static readonly TimeSpan _lifetime = TimeSpan.FromMinutes(15);

    /// <summary>Plans and prices a run without starting it.</summary>
    public static async Task<Results<Created<QuoteView>, Problem>> Handle(
        StartRunRequest body, NetAutomationDb db, Caller caller, Planner planner, EngineVersion engine, TimeProvider clock,
        CancellationToken cancel)
    {
        if (Second(body, clock, "Not in a quote: give it with the run.") is { } second)
        {
            return second;
        }

        if ((await planner.Plan(body, caller, cancel)).Refused(out var problem, out var plan))
        {
            return problem;
        }

        if (AboveMax(plan, body.MaxPrice) is { } above)
        {
            return above;
        }

        // Two at once must not both take the last place.
        db.SendWithNext($"select web.take({caller.Tenant.Value}, 'quotes', 0)");
        db.SendWithNext(
            $"""
            select web.refuse_above({caller.Tenant.Value}, 'quotes', count(*), 1)
            from runs.quote where tenant_id = {caller.Tenant.Value} and open and expires_at > now()
            """);
        var quote = Store(db, caller, body, plan, engine, open: true);
        return TypedResults.Created($"/v1/quotes/{quote}", (await View(db, caller.Tenant, quote, cancel))!);
    }

    /// <summary>One quote.</summary>
    public static async Task<Results<Ok<QuoteView>, Problem>> GetQuote(
        QuoteId id, NetAutomationDb db, Caller caller, CancellationToken cancel) =>
        await View(db, caller.Tenant, id, cancel) is { } view ? TypedResults.Ok(view) : Web.Problems.NotFound.With();

    /// <summary>The refusal of a body that was quoted or planned before, that says when it is to start, or that no run has.</summary>
    /// <param name="when">What is said of the time.</param>
    public static Problem? Second(StartRunRequest body, TimeProvider clock, string when) =>
        body.QuoteId is not null ? Web.Problems.Refused.At("/quoteId", "not_here", "Not from a quote.")
        : body.PlanId is not null ? Web.Problems.Refused.At("/planId", "not_here", "Not from a plan.")
        : body.StartBy is not null ? Web.Problems.Refused.At("/startBy", "not_here", when)
        : RunLauncher.Refusal(body, clock);

    /// <summary>The refusal of a plan that may cost more than the request allows.</summary>
    public static Problem? AboveMax(RunPlan plan, Money? most) => most is { } max && plan.Ceiling > max
        ? new Problem(Billing.Problems.PriceAboveMax)
        {
            Members = new Dictionary<string, object?>(StringComparer.Ordinal) { ["ceiling"] = plan.Ceiling, ["maxPrice"] = max },
        }
        : null;

    /// <param name="open">It was asked for, and no run uses it yet.</param>
    /// <param name="lifetime">Where it is not the usual one.</param>
    public static QuoteId Store(
        NetAutomationDb db, Caller caller, StartRunRequest body, RunPlan plan, EngineVersion engine, bool open, TimeSpan? lifetime = null)
    {
        var (id, mode, effect) = (QuoteId.New(), Wire.Name(plan.Mode), Wire.Name(plan.Block.Effect));
        var (targets, lines) = (JsonSerializer.Serialize(plan.Targets, Json.Api), JsonSerializer.Serialize(plan.Lines, Json.Api));
        var platforms = JsonSerializer.Serialize(plan.Platforms, Json.Api);
        var (secrets, guard) = (JsonSerializer.Serialize(plan.Secrets, Json.Api), JsonSerializer.Serialize(plan.Guard, Json.Api));
        var devices = plan.Devices.Select(device => device.DeviceId.Value).ToArray();
        db.SendWithNext(
            $"""
            insert into runs.quote (
              tenant_id, id, block, version, digest, platforms, platform_digest, engine_version, effect, mode, targets, device_ids, input,
              secrets, input_hash, entitlement_id, lines, ceiling_micros, plan_digest, timeout_seconds, expires_at,
              open, request, guard)
            values (
              {caller.Tenant.Value}, {id.Value}, {plan.Block.Slug}, {plan.Block.Version}, {plan.Block.Digest}, {platforms}::jsonb,
              {plan.PlatformDigest}, {engine.Value}, {effect}, {mode}, {targets}::jsonb, {devices}, {plan.Input.GetRawText()}::jsonb,
              {secrets}::jsonb, {plan.InputHash}, {plan.Entitlement.Value}, {lines}::jsonb, {plan.Ceiling.Micros}, {plan.Digest},
              {plan.TimeoutSeconds},
              now() + {lifetime ?? _lifetime}, {open}, {body.Rest()}::jsonb, nullif({guard}::jsonb, 'null'))
            """);
        return id;
    }

    private static async Task<QuoteView?> View(NetAutomationDb db, TenantId tenant, QuoteId id, CancellationToken cancel) =>
        (await db.Query<Row>(
            $"""
            select block, version, digest, platform_digest, engine_version, mode, device_ids, input_hash, lines, ceiling_micros as ceiling,
              plan_digest, expires_at, timeout_seconds, guard, request
            from runs.quote where tenant_id = {tenant.Value} and id = {id.Value}
            """,
            cancel)).Select(row => row.View(id)).FirstOrDefault();

    private sealed record Row(
        string Block, string Version, string Digest, string? PlatformDigest, string? EngineVersion, RunMode Mode, Guid[] DeviceIds,
        string InputHash, string Lines, Money Ceiling, string PlanDigest, DateTimeOffset ExpiresAt, int TimeoutSeconds, string? Guard,
        string Request)
    {
        public QuoteView View(QuoteId id)
        {
            var asked = JsonSerializer.Deserialize<StartRunRequest>(Request, Json.Api)!;
            return new(
                id, Block, Version, Digest, PlatformDigest, EngineVersion, Mode, [.. DeviceIds.Select(device => new DeviceId(device))],
                InputHash, JsonSerializer.Deserialize<List<PriceLine>>(Lines, Json.Api)!, Ceiling, PlanDigest, ExpiresAt, TimeoutSeconds,
                GuardView.Of(Guard), asked.Rollout, asked.MaxPrice, asked.Labels ?? [], asked.Priority ?? 0);
        }
    }
}
