using Microsoft.AspNetCore.Http.HttpResults;
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

        var tenant = request.TenantId;
        var channel = await Corrections.Lock(db, tenant, cancel);
        if (channel is null)
        {
            return Web.Problems.Refused.At("/tenantId", "unknown_tenant", "No such tenant has a billing account.");
        }

        if (await ListAdjustments.Find(db, cancel, tenant, document: request.Document) is [var known])
        {
            return Same(known, request) ? TypedResults.Ok(known) : Problems.DocumentUsed.With();
        }

        var target = request.ChargeId is { } charge
            ? (await Corrections.Find(db, tenant, [charge.Value], cancel)).SingleOrDefault() : null;
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
        List<ProblemError> faults =
            [.. ShownText.TextFaults(request.Document, "/document", 100), .. ShownText.TextFaults(request.Reason, "/reason")];

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

    private static async Task<AdjustmentId> Write(
        SystemDb db, MakeAdjustmentRequest request, string channel, Charged? target, OperatorCaller caller, CancellationToken cancel)
    {
        var id = AdjustmentId.New();
        var correction = target is not null
            ? target.Reversal(id, request.Document)
            : new NewCorrection(
                id, request.Kind, request.Document,
                request.Kind == Correction.Debit ? request.Amount!.Value : Money.Zero - request.Amount!.Value, null);
        Settled[] taken = target is { ReservationId: { } reservation, RunId: { } run } ? [new(reservation, run, target.Component!)] : [];
        await Corrections.Write(db, request.TenantId, channel, request.Reason, caller.Name, [correction], taken, cancel);
        await new AuditLog(db).Append(caller, request.TenantId, $"adjustment.{Wire.Name(request.Kind)}", $"{id}", request, cancel);
        return id;
    }
}
