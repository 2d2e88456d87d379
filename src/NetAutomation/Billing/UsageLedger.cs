using Microsoft.Extensions.Options;
using NetAutomation.Billing.Ledger;
using NetAutomation.Persistence;
using NetAutomation.Web;

namespace NetAutomation.Billing;

/// <summary>The outcome of one device as far as money and receipts are concerned.</summary>
/// <param name="Device">The device.</param>
/// <param name="Outcome">Wire name of the outcome.</param>
/// <param name="PlatformDigest">Digest of what was known of its platform.</param>
/// <param name="Billable">The device was reached and is as wanted, and no person declared it free.</param>
/// <param name="DiffHash">SHA-256 of the diff, where there is one.</param>
/// <param name="BeforeHash">SHA-256 of the configuration before, where known.</param>
/// <param name="AfterHash">SHA-256 of the configuration after, where known.</param>
public sealed record DeviceFact(
    DeviceId Device, string Outcome, string? PlatformDigest, bool Billable, string? DiffHash, string? BeforeHash, string? AfterHash);

/// <summary>What is settled at the end of a run.</summary>
/// <param name="Block">Slug of the block, for the usage record.</param>
/// <param name="BlockDigest">Digest of the block version.</param>
/// <param name="EngineVersion">Version of the engine that ran it; null where none did.</param>
/// <param name="InputHash">SHA-256 of the input.</param>
/// <param name="Ran">How long it ran, by the database's clock.</param>
/// <param name="Devices">Every device with a final outcome.</param>
public sealed record RunFacts(
    RunId Run, string Block, string BlockDigest, string? EngineVersion, string InputHash, TimeSpan Ran, IReadOnlyList<DeviceFact> Devices);

/// <summary>
/// Money of runs and purchases. Every method joins the caller's transaction of the tenant, so a reservation commits with the run it
/// is for, and a settlement with the end of the run (Billing/README.md).
/// </summary>
internal sealed class UsageLedger(NetAutomationDb db, IOptions<BillingOptions> options)
{
    /// <summary>Holds the money for a run, one reservation for each line, or says why not.</summary>
    public async Task<Problem?> Reserve(
        TenantId tenant, RunId run, IReadOnlyList<PriceLine> lines, Money? maxPrice, CancellationToken cancel)
    {
        if ((await Channel(tenant, cancel)).Refused(out var unbillable, out var channel))
        {
            return unbillable;
        }

        var holds = await FreeAllowance.Take(db, tenant, lines, cancel);
        var total = holds.Aggregate(Money.Zero, (sum, hold) => sum + hold.Amount);
        if (maxPrice is { } max && total > max)
        {
            return new Problem(Problems.PriceAboveMax, $"The ceiling is {total} {Money.Currency}, the maximum given {max}.")
            {
                Members = new Dictionary<string, object?>(StringComparer.Ordinal) { ["ceiling"] = total, ["maxPrice"] = max },
            };
        }

        if (await Ledger.Budget.Refusal(db, tenant, total, cancel) is { } refusal)
        {
            return refusal;
        }

        Guid[] ids = [.. holds.Select(_ => Guid.CreateVersion7())];
        string[] components = [.. holds.Select(hold => Wire.Name(hold.Line.Component))];
        long[] quantities = [.. holds.Select(hold => hold.Line.Quantity)];
        long[] free = [.. holds.Select(hold => hold.Free)];
        long[] units = [.. holds.Select(hold => hold.Line.UnitPrice.Micros)];
        long[] amounts = [.. holds.Select(hold => hold.Amount.Micros)];
        Guid[] prices = [.. holds.Select(hold => hold.Line.PriceVersionId.Value)];
        db.SendWithNext(
            $"""
            insert into billing.reservation (
              tenant_id, id, run_id, component, quantity, free_quantity, unit_micros, amount_micros, currency, price_version_id, channel)
            select {tenant.Value}, i, {run.Value}, c, q, f, u, a, {Money.Currency}, p, {channel}
            from unnest({ids}, {components}, {quantities}, {free}, {units}, {amounts}, {prices}) as h (i, c, q, f, u, a, p)
            """);
        return null;
    }

    /// <summary>Settles all reservations of a run, once: charges, usage and receipts. Returns what the run cost.</summary>
    public Task<Money> Settle(TenantId tenant, RunFacts facts, CancellationToken cancel) =>
        new RunSettlement(db, tenant, facts).Write(cancel);

    /// <summary>Charges a rental or a sale. The row exists once per purchase, price and time.</summary>
    public async Task<Problem?> ChargePurchase(
        TenantId tenant, PurchaseId purchase, string sku, string description, PriceVersionId price, long quantity, Money amount,
        CancellationToken cancel)
    {
        if ((await Channel(tenant, cancel)).Refused(out var unbillable, out var channel))
        {
            return unbillable;
        }

        if (await Ledger.Budget.Refusal(db, tenant, amount, cancel) is { } refusal)
        {
            return refusal;
        }

        if (amount > Money.Zero)
        {
            var charge = Guid.CreateVersion7();
            await db.Execute(
                $"""
                insert into billing.charge (
                  tenant_id, id, purchase_id, sku, description, quantity, amount_micros, currency, price_version_id, channel)
                values ({tenant.Value}, {charge}, {purchase.Value}, {sku}, {description}, {quantity}, {amount.Micros}, {Money.Currency},
                  {price.Value}, {channel})
                """,
                cancel);
            await InvoiceDraft.Add(db, tenant, [charge], channel, cancel);
        }

        return null;
    }

    public static Money Total(IReadOnlyList<PriceLine> lines) => lines.Aggregate(Money.Zero, (sum, line) => sum + line.Amount);

    /// <summary>
    /// The channel that collects; refused where there is none, where the tenant is stopped, and where an invoice is overdue for too long.
    /// </summary>
    private async Task<Outcome<string>> Channel(TenantId tenant, CancellationToken cancel)
    {
        var rows = await db.Query<Account>(
            $"""
            select a.channel, a.stopped_at is not null as stopped, o.owed, o.due_at, o.number,
              a.channel = 'marketplace' and (p.closed_at is not null or p.refused_at is not null) as shut
            from billing.account a
              left join billing.payer p on p.tenant_id = a.tenant_id and p.id = a.payer_id
              left join lateral billing.overdue(a.tenant_id, now() - make_interval(days => {options.Value.OverdueDays})) o on true
            where a.tenant_id = {tenant.Value}
            """,
            cancel);
        return rows switch
        {
            [{ Stopped: true }] => Web.Problems.TenantSuspended.With(),
            [{ Shut: true }] => Problems.NotSubscribed.With(),
            [{ Owed: null, Channel: var channel }] => channel,
            [var late] =>
                new Problem(
                    Problems.PaymentOverdue, $"Invoice {late.Number} was due on {late.DueAt:yyyy-MM-dd}. Runs that are accepted go on.")
                {
                    Members = new Dictionary<string, object?>(StringComparer.Ordinal)
                    {
                        ["owed"] = late.Owed, ["invoice"] = late.Number, ["dueAt"] = late.DueAt,
                    },
                },
            _ => Problems.NotBillable.With(),
        };
    }

    private sealed record Account(string Channel, bool Stopped, Money? Owed, DateTimeOffset? DueAt, string? Number, bool Shut);
}
