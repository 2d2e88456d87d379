using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Billing.Ledger;
using NetAutomation.Persistence;
using NetAutomation.Web;
using Npgsql;

namespace NetAutomation.Billing.Operators;

/// <summary>What a correction does.</summary>
public enum Correction
{
    Reversal,
    Credit,
    Debit,
}

/// <summary>Corrects what was charged. Nothing is edited: a correction is a charge of its own.</summary>
/// <param name="TenantId">The tenant.</param>
/// <param name="Kind">reversal of one charge; credit or debit of an amount.</param>
/// <param name="Document">Your key of the correction, 1 to 100 characters: the same key and content again is the same correction.</param>
/// <param name="Reason">Why; the customer reads it on the invoice.</param>
/// <param name="ChargeId">What a reversal takes back, once.</param>
/// <param name="Amount">Of a credit or debit, above zero.</param>
public sealed record MakeAdjustmentRequest(
    TenantId TenantId, Correction Kind, string Document, string Reason, ChargeId? ChargeId = null, Money? Amount = null);

/// <summary>A correction.</summary>
/// <param name="Id">The correction.</param>
/// <param name="TenantId">The tenant.</param>
/// <param name="Kind">reversal, credit or debit.</param>
/// <param name="Document">The key given with it.</param>
/// <param name="Reason">Why.</param>
/// <param name="Amount">Below zero where the customer gets something back.</param>
/// <param name="Channel">Where it is billed: that of the tenant when it was made.</param>
/// <param name="Reverses">The charge taken back.</param>
/// <param name="ChargeId">The charge it made.</param>
/// <param name="CreditNote">Number of the credit note, where the charge taken back stands on an issued invoice.</param>
/// <param name="Credits">Number of that invoice.</param>
/// <param name="ApprovedBy">Who made it.</param>
/// <param name="CreatedAt">When it was made.</param>
public sealed record AdjustmentView(
    AdjustmentId Id, TenantId TenantId, Correction Kind, string Document, string Reason, Money Amount, BillingChannel Channel,
    ChargeId? Reverses, ChargeId ChargeId, string? CreditNote, string? Credits, string ApprovedBy, DateTimeOffset CreatedAt);

internal static class MakeAdjustment
{
    public static async Task<Results<Created<AdjustmentView>, Ok<AdjustmentView>, Problem>> Handle(
        MakeAdjustmentRequest request, SystemDb db, OperatorCaller caller, CancellationToken cancel)
    {
        if (Faults(request) is { Count: > 0 } faults)
        {
            return new Problem(Web.Problems.Refused, "The correction cannot be made.", faults);
        }

        // One correction or issue of the tenant at a time, so that numbers have no gaps and sums miss nothing.
        var tenant = request.TenantId;
        var channel = await db.Scalar<string>(
            $"select channel from billing.account where tenant_id = {tenant.Value} for no key update", cancel);
        if (channel is null)
        {
            return Web.Problems.Refused.At("/tenantId", "unknown_tenant", "No such tenant has a billing account.");
        }

        if (await ListAdjustments.Find(db, cancel, tenant, document: request.Document) is [var known])
        {
            return Same(known, request) ? TypedResults.Ok(known) : Problems.DocumentUsed.With();
        }

        var target = request.ChargeId is { } charge ? await Target(db, tenant, charge, cancel) : null;
        if (request.Kind == Correction.Reversal && (target is null || target.Amount <= Money.Zero))
        {
            return Web.Problems.Refused.At("/chargeId", "unknown_charge", "The tenant has no such charge, or it is itself a credit.");
        }

        if (target?.Reversed == true)
        {
            return Problems.AlreadyReversed.With();
        }

        try
        {
            var id = await Write(db, request, channel, target, caller, cancel);
            return TypedResults.Created((string?)null, (await ListAdjustments.Find(db, cancel, tenant, id))[0]);
        }
        catch (PostgresException fault) when (fault.ConstraintName == "adjustment_bound")
        {
            return Web.Problems.Refused.At(
                target is null ? "/amount" : "/chargeId", "out_of_range",
                "More would be given back than was charged to the tenant in total.");
        }
    }

    private static List<ProblemError> Faults(MakeAdjustmentRequest request)
    {
        var faults = new List<ProblemError>();
        if (request.Document.Length is < 1 or > 100)
        {
            faults.Add(new ProblemError("/document", "length", "1 to 100 characters."));
        }

        if (request.Reason.Length is < 1 or > 500)
        {
            faults.Add(new ProblemError("/reason", "length", "1 to 500 characters."));
        }

        if ((request.Kind == Correction.Reversal) != (request.ChargeId is not null))
        {
            faults.Add(new ProblemError("/chargeId", "not_allowed", "A reversal needs a chargeId; other corrections have none."));
        }

        if ((request.Kind == Correction.Reversal) != (request.Amount is null) || request.Amount <= Money.Zero
            || request.Amount > Money.Most)
        {
            faults.Add(new ProblemError(
                "/amount", "out_of_range",
                $"A credit or debit has an amount above zero and up to {Money.Most} {Money.Currency}; "
                + "a reversal takes that of its charge."));
        }

        return faults;
    }

    private static bool Same(AdjustmentView known, MakeAdjustmentRequest request) =>
        known.Kind == request.Kind && known.Reason == request.Reason
        && (request.Kind == Correction.Reversal
            ? known.Reverses == request.ChargeId : Math.Abs(known.Amount.Micros) == request.Amount!.Value.Micros);

    private static async Task<Charge?> Target(SystemDb db, TenantId tenant, ChargeId charge, CancellationToken cancel) =>
        (await db.Query<Charge>(
        $"""
        select c.id, c.sku, c.description, c.quantity, c.amount_micros as amount, c.price_version_id, c.channel, s.run_id, s.component,
          i.id as invoice_id,
          exists (select from billing.adjustment a where a.tenant_id = c.tenant_id and a.reverses = c.id) as reversed
        from billing.charge c
          left join billing.settlement s on s.tenant_id = c.tenant_id and s.reservation_id = c.reservation_id
          left join billing.invoice_line l on l.tenant_id = c.tenant_id and l.charge_id = c.id and l.live
          left join billing.invoice i on i.tenant_id = l.tenant_id and i.id = l.invoice_id and i.state = 'issued'
        where c.tenant_id = {tenant.Value} and c.id = {charge.Value}
        """,
        cancel)).SingleOrDefault();

    private static async Task<AdjustmentId> Write(
        SystemDb db, MakeAdjustmentRequest request, string channel, Charge? target, OperatorCaller caller, CancellationToken cancel)
    {
        var (tenant, id, charge, kind) = (request.TenantId.Value, AdjustmentId.New(), Guid.CreateVersion7(), Wire.Name(request.Kind));
        var amount = target is not null
            ? Money.Zero - target.Amount : request.Kind == Correction.Debit ? request.Amount!.Value : Money.Zero - request.Amount!.Value;
        // AWS Marketplace issues the documents of its months: a correction that is billed there credits no invoice of ours.
        var credits = channel == "direct" ? target?.InvoiceId : null;
        await db.Execute(
            $"""
            insert into billing.adjustment (
              tenant_id, id, kind, document, amount_micros, currency, channel, reverses, reverses_channel, credits, credit_note,
              reason, approved_by, charge_id)
            values ({tenant}, {id.Value}, {kind}, {request.Document}, {amount.Micros}, {Money.Currency}, {channel}, {target?.Id},
              {target?.Channel}, {credits},
              (select coalesce(max(credit_note), 0) + 1 from billing.adjustment
               where tenant_id = {tenant} having {credits}::uuid is not null),
              {request.Reason}, {caller.Name}, {charge})
            """,
            cancel);
        var (sku, description) = target is null
            ? (kind, request.Reason) : (target.Sku, $"Reversal of {target.Description}: {request.Reason}");
        await db.Execute(
            $"""
            insert into billing.charge (
              tenant_id, id, adjustment_id, sku, description, quantity, amount_micros, currency, price_version_id, channel)
            values ({tenant}, {charge}, {id.Value}, {sku}, {description}, {-target?.Quantity ?? 1}, {amount.Micros}, {Money.Currency},
              {target?.PriceVersionId}, {channel})
            """,
            cancel);
        await InvoiceDraft.Add(db, request.TenantId, charge, channel, amount, cancel, beside: target?.Id);
        if (target?.RunId is { } run)
        {
            await TakeBackUsage(db, tenant, run, target.Component!, cancel);
        }

        await new AuditLog(db).Append(caller, request.TenantId, $"adjustment.{kind}", $"{id}", request, cancel);
        return id;
    }

    private static async Task TakeBackUsage(SystemDb db, Guid tenant, Guid run, string meter, CancellationToken cancel)
    {
        var events = await db.Query<Guid>(
            $"""
            select event_id from billing.usage_event
            where tenant_id = {tenant} and run_id = {run} and meter = {meter} and reverses is null
            """,
            cancel);
        Guid[] taken = [.. events], ids = [.. events.Select(id => FactId.Of($"{id:n}/reversal"))];
        await db.Execute(
            $"""
            insert into billing.usage_event (tenant_id, source, event_id, run_id, meter, device_id, quantity, block, reverses)
            select e.tenant_id, 'adjustments', n.id, e.run_id, e.meter, e.device_id, -e.quantity, e.block, e.event_id
            from unnest({taken}, {ids}) as n (event, id) join billing.usage_event e on e.tenant_id = {tenant} and e.event_id = n.event
            """,
            cancel);
    }

    private sealed record Charge(
        Guid Id, string Sku, string Description, long Quantity, Money Amount, Guid? PriceVersionId, string Channel, Guid? RunId,
        string? Component, Guid? InvoiceId, bool Reversed);
}
