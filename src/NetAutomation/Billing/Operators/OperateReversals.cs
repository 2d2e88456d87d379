using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Billing.Metering;
using NetAutomation.Persistence;
using NetAutomation.Web;

namespace NetAutomation.Billing.Operators;

/// <summary>Where the customer gets the money of one charge back.</summary>
public enum ReversalWay
{
    /// <summary>Charge and reversal stand on one draft and net out.</summary>
    Draft,

    /// <summary>The charge stands on an issued invoice: a credit note on the running draft.</summary>
    Credit,

    /// <summary>AWS Marketplace is told of neither: one metering record holds both.</summary>
    Usage,

    /// <summary>
    /// A record of the charge is sealed, or the tenant is billed elsewhere now: a credit where it is billed, which later usage consumes.
    /// </summary>
    Adjustment,
}

/// <summary>A reversal of the runs of a block version.</summary>
/// <param name="Id">The reversal.</param>
/// <param name="Block">Slug of the block.</param>
/// <param name="Version">Its version.</param>
/// <param name="From">Runs settled from then on.</param>
/// <param name="To">And before then.</param>
/// <param name="TenantId">Only of this tenant; null for everyone.</param>
/// <param name="Reason">Why.</param>
/// <param name="ApprovedBy">Who began it.</param>
/// <param name="CreatedAt">When it was begun.</param>
/// <param name="FinishedAt">When nothing was left to take back; null while there may be more: the same request again goes on.</param>
/// <param name="Tenants">How many tenants it has given money back to.</param>
/// <param name="Charges">How many charges it has taken back.</param>
/// <param name="Amount">Their sum, below zero.</param>
public sealed record ReversalHead(
    ReversalId Id, string Block, string Version, DateTimeOffset From, DateTimeOffset To, TenantId? TenantId, string Reason,
    string ApprovedBy, DateTimeOffset CreatedAt, DateTimeOffset? FinishedAt, long Tenants, long Charges, Money Amount);

/// <summary>What a tenant gets back in one way.</summary>
/// <param name="How">Where.</param>
/// <param name="Charges">How many charges.</param>
/// <param name="Amount">Their sum, below zero.</param>
public sealed record ReversalWaySum(ReversalWay How, long Charges, Money Amount);

/// <summary>How one tenant stands. The ledger has one currency, which the amounts name.</summary>
/// <param name="TenantId">The tenant.</param>
/// <param name="Runs">Runs of which something was taken back by this reversal.</param>
/// <param name="Charges">Charges taken back.</param>
/// <param name="Amount">Their sum, below zero.</param>
/// <param name="FreeUnits">Free units that can be used again.</param>
/// <param name="LeftRuns">Runs of which something is left to take back.</param>
/// <param name="LeftCharges">Their charges.</param>
/// <param name="LeftAmount">What they would come to, below zero.</param>
/// <param name="LeftFreeUnits">Their free units.</param>
/// <param name="ReversedBefore">Charges that other corrections took back.</param>
/// <param name="CoveredRuns">Runs that cost nothing, as those of a rented or owned block do.</param>
/// <param name="Ways">The lines of the tenant summed up: what it got back where; in a dry run, what it would.</param>
public sealed record TenantReversalView(
    TenantId TenantId, long Runs, long Charges, Money Amount, long FreeUnits, long LeftRuns, long LeftCharges, Money LeftAmount,
    long LeftFreeUnits, long ReversedBefore, long CoveredRuns, IReadOnlyList<ReversalWaySum> Ways);

/// <summary>One component of a run: a charge that is taken back, or a free part.</summary>
/// <param name="TenantId">The tenant.</param>
/// <param name="RunId">The run.</param>
/// <param name="Sku">Name of the price.</param>
/// <param name="ChargeId">The charge; null where the free part covered it.</param>
/// <param name="Quantity">What was charged for.</param>
/// <param name="FreeUnits">What was free.</param>
/// <param name="Amount">What the customer gets back, below zero.</param>
/// <param name="How">Where the customer gets it back; null where nothing was charged.</param>
/// <param name="AdjustmentId">The correction; null in a dry run.</param>
/// <param name="CreditNote">Number of its credit note.</param>
/// <param name="Credits">Number of the invoice that this credits.</param>
/// <param name="MeteringRecordId">The record that holds the charge; null where none does.</param>
/// <param name="MeteringState">How far that record is.</param>
public sealed record ReversalLineView(
    TenantId TenantId, RunId RunId, string Sku, ChargeId? ChargeId, long Quantity, long FreeUnits, Money Amount, ReversalWay? How,
    AdjustmentId? AdjustmentId, string? CreditNote, string? Credits, MeteringRecordId? MeteringRecordId, MeteringState? MeteringState)
{
    /// <summary>By which the cursor names the line.</summary>
    [JsonIgnore]
    public Guid ReservationId { get; init; }
}

/// <summary>What a reversal has taken back, or would.</summary>
/// <param name="Reversal">The reversal; null for a dry run.</param>
/// <param name="Tenants">Every tenant with runs that fit.</param>
/// <param name="Refused">What this call could not take back.</param>
/// <param name="Lines">What was taken back; of a dry run, what would be.</param>
public sealed record ReversalView(
    ReversalHead? Reversal, IReadOnlyList<TenantReversalView> Tenants, IReadOnlyList<RefusedReversal> Refused,
    Page<ReversalLineView> Lines);

internal static class OperateReversals
{
    /// <summary>Takes back, or shows what would be: then <c>after</c> and <c>limit</c> page its lines.</summary>
    public static async Task<Results<Ok<ReversalView>, Created<ReversalView>, Problem>> Make(
        ReverseRunsRequest request, [AsParameters] PageQuery page, SystemDb db, ReverseRuns reverse, OperatorCaller caller,
        CancellationToken cancel)
    {
        if (await Faults(request, db, cancel) is { Count: > 0 } faults)
        {
            return new Problem(Web.Problems.Refused, "The reversal cannot be made.", faults);
        }

        if (request.DryRun)
        {
            return (await Show(db, request, null, page, cancel)).Refused(out var problem, out var shown) ? problem : TypedResults.Ok(shown);
        }

        var made = await reverse.Run(request, caller, cancel);
        var head = (await Find(db, cancel, made.Id))[0];
        var view = (await Show(db, request, head, new PageQuery(), cancel)).Value with { Refused = made.Refused };
        return made.Begun ? TypedResults.Created((string?)null, view) : TypedResults.Ok(view);
    }

    public static Task<Results<Ok<Page<ReversalHead>>, Problem>> List(
        SystemDb db, [AsParameters] PageQuery page, CancellationToken cancel) =>
        page.Answer("reversals", (below, take) => Find(db, cancel, below: below, take: take), head => head.Id.Value);

    /// <summary>One reversal and how far it is; <c>after</c> and <c>limit</c> page its lines.</summary>
    public static async Task<Results<Ok<ReversalView>, Problem>> Get(
        ReversalId id, [AsParameters] PageQuery page, SystemDb db, CancellationToken cancel)
    {
        if (await Find(db, cancel, id) is not [var head])
        {
            return Web.Problems.NotFound.With();
        }

        var request =
            new ReverseRunsRequest(head.Block, head.Version, head.From, head.To, head.Reason, DryRun: false, TenantId: head.TenantId);
        return (await Show(db, request, head, page, cancel)).Refused(out var problem, out var view) ? problem : TypedResults.Ok(view);
    }

    private static async Task<List<ProblemError>> Faults(ReverseRunsRequest request, SystemDb db, CancellationToken cancel)
    {
        var faults = new List<ProblemError>();
        if (!await db.Scalar<bool>(
            $"""
            select exists (select from catalog.block_version where slug = {request.Block} and version = {request.Version})
            """,
            cancel))
        {
            faults.Add(new ProblemError("/version", "unknown_version", "There is no such version of the block."));
        }

        // The database keeps microseconds.
        if (request.To - request.From < TimeSpan.FromMicroseconds(1))
        {
            faults.Add(new ProblemError("/to", "out_of_range", "The time ends after it begins."));
        }

        faults.AddRange(ShownText.TextFaults(request.Reason, "/reason"));

        if (request.TenantId is { } tenant
            && !await db.Scalar<bool>($"select exists (select from billing.account where tenant_id = {tenant.Value})", cancel))
        {
            faults.Add(new ProblemError("/tenantId", "unknown_tenant", "No such tenant has a billing account."));
        }

        return faults;
    }

    private static async Task<Outcome<ReversalView>> Show(
        SystemDb db, ReverseRunsRequest request, ReversalHead? head, PageQuery page, CancellationToken cancel)
    {
        var lines = await page.Read(
            $"reversal?{head?.Id}&{request.Block}&{request.Version}&{request.From:O}&{request.To:O}&{request.TenantId}",
            (below, take) => Lines(db, request, head?.Id, below, take, cancel), line => line.ReservationId);
        return lines.Refused(out var problem, out var shown)
            ? problem : new ReversalView(head, await Tenants(db, request, head?.Id, cancel), [], shown);
    }

    private static Task<List<ReversalHead>> Find(
        SystemDb db, CancellationToken cancel, ReversalId? id = null, Guid? below = null, int take = 1) => db.Query<ReversalHead>(
        $"""
        select r.id, r.block, r.version, lower(r.settled) as "from", upper(r.settled) as "to",
          nullif(r.scope, '00000000-0000-0000-0000-000000000000') as tenant_id, r.reason, r.approved_by, r.created_at, r.finished_at,
          s.tenants, s.charges, s.amount
        from billing.reversal r cross join lateral (
          select count(distinct a.tenant_id) as tenants, count(*) as charges, coalesce(sum(a.amount_micros), 0)::bigint as amount
          from billing.adjustment a where a.reversal_id = r.id) s
        where ({id?.Value}::uuid is null or r.id = {id?.Value}) and ({below}::uuid is null or r.id < {below})
        order by r.id desc limit {take}
        """,
        cancel);

    private static async Task<List<TenantReversalView>> Tenants(
        SystemDb db, ReverseRunsRequest request, ReversalId? reversal, CancellationToken cancel)
    {
        var (tenants, ways) = await db.Query<TenantReversalView, TenantWay>(
            $"""
            with part as ({RunParts.Of(request)}),
            stand as (
              select p.*, coalesce(p.reversal_id = {reversal?.Value}::uuid, false) as mine, -c.amount_micros as amount
              from part p left join billing.charge c on c.tenant_id = p.tenant_id and c.id = p.charge_id)
            select tenant_id,
              count(distinct run_id) filter (where mine) as runs, count(charge_id) filter (where mine) as charges,
              coalesce(sum(amount) filter (where mine), 0)::bigint as amount,
              coalesce(sum(free_quantity) filter (where mine), 0)::bigint as free_units,
              count(distinct run_id) filter (where open) as left_runs, count(charge_id) filter (where open) as left_charges,
              coalesce(sum(amount) filter (where open), 0)::bigint as left_amount,
              coalesce(sum(free_quantity) filter (where open), 0)::bigint as left_free_units,
              count(charge_id) filter (where not open and not mine) as reversed_before,
              count(distinct run_id) - count(distinct run_id) filter (where not covered) as covered_runs, null as ways
            from stand group by tenant_id order by tenant_id
            """,
            $"""
            with {Found(request, reversal, $"")}
            select tenant_id, how, count(*) as charges, sum(amount)::bigint as amount from found where how is not null
            group by tenant_id, how order by how
            """,
            cancel);
        var byTenant = ways.ToLookup(way => way.TenantId, way => new ReversalWaySum(way.How, way.Charges, way.Amount));
        return tenants.ConvertAll(tenant => tenant with { Ways = [.. byTenant[tenant.TenantId]] });
    }

    private static Task<List<ReversalLineView>> Lines(
        SystemDb db, ReverseRunsRequest request, ReversalId? reversal, Guid? below, int take, CancellationToken cancel)
    {
        FormattableString page =
            $"and ({below}::uuid is null or reservation_id < {below}) order by reservation_id desc limit {take}";
        return db.Query<ReversalLineView>(
            $"with {Found(request, reversal, page)} select * from found order by reservation_id desc", cancel);
    }

    /// <summary>
    /// The lines as <c>found</c>, for a <c>with</c>. The way of a line that is written is read off where its charges stand, so that it
    /// stays true whatever is sealed or issued at once.
    /// </summary>
    /// <param name="page">Which of them.</param>
    private static FormattableString Found(ReverseRunsRequest request, ReversalId? reversal, FormattableString page) =>
        $"""
        part as ({RunParts.Of(request)}),
        line as (select * from part where {(reversal is { } id ? Mine(id) : Open)} {page}),
        found as (
          select l.tenant_id, l.run_id, v.sku, c.id as charge_id, coalesce(c.quantity, 0) as quantity, l.free_quantity as free_units,
            coalesce(-c.amount_micros, 0) as amount, a.id as adjustment_id, a.credit_note_number as credit_note, n.number as credits,
            m.id as metering_record_id, m.state as metering_state, l.reservation_id,
            case
              when c.id is null then null
              when a.id is null and t.channel = 'direct' and i.state = 'issued' then 'credit'
              when a.id is null and t.channel = 'direct' and i.state = 'draft' then 'draft'
              when a.id is null and t.channel = 'marketplace' and b.payer_id = t.payer_id then 'usage'
              when a.id is null then 'adjustment'
              when a.credits is not null then 'credit'
              when rl.invoice_id = cl.invoice_id then 'draft'
              when rb.occurred_hour = b.occurred_hour or rm.record_id = cm.record_id then 'usage'
              else 'adjustment' end as how
          from line l
            join billing.price_version v on v.id = l.price_version_id
            join billing.account t on t.tenant_id = l.tenant_id
            left join billing.charge c on c.tenant_id = l.tenant_id and c.id = l.charge_id
            left join billing.invoice_line cl on cl.tenant_id = c.tenant_id and cl.charge_id = c.id and cl.live
            left join billing.invoice i on i.tenant_id = cl.tenant_id and i.id = cl.invoice_id
            left join billing.metering_allocation cm on cm.tenant_id = c.tenant_id and cm.charge_id = c.id
            left join billing.metering_record m on m.tenant_id = cm.tenant_id and m.id = cm.record_id
            left join billing.metering_backlog b
              on b.tenant_id = c.tenant_id and b.payer_id = c.payer_id and b.occurred_hour = c.occurred_hour and b.charge_id = c.id
            left join billing.adjustment a on a.tenant_id = l.tenant_id and a.id = l.adjustment_id
            left join billing.invoice n on n.tenant_id = a.tenant_id and n.id = a.credits
            left join billing.charge r on r.tenant_id = a.tenant_id and r.id = a.charge_id
            left join billing.invoice_line rl on rl.tenant_id = r.tenant_id and rl.charge_id = r.id and rl.live
            left join billing.metering_allocation rm on rm.tenant_id = r.tenant_id and rm.charge_id = r.id
            left join billing.metering_backlog rb
              on rb.tenant_id = r.tenant_id and rb.payer_id = b.payer_id and rb.occurred_hour = b.occurred_hour and rb.charge_id = r.id)
        """;

    private static FormattableString Open => $"open";

    private static FormattableString Mine(ReversalId reversal) => $"reversal_id = {reversal.Value}";

    private sealed record TenantWay(TenantId TenantId, ReversalWay How, long Charges, Money Amount);
}
