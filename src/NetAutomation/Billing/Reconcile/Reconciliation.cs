using Microsoft.EntityFrameworkCore;
using NetAutomation.Persistence;

namespace NetAutomation.Billing.Reconcile;

/// <summary>Something that does not add up.</summary>
/// <param name="TenantId">The tenant; its invoicing is parked.</param>
/// <param name="Check">Name of the check.</param>
/// <param name="Subject">What it is about.</param>
/// <param name="Detail">What was found.</param>
/// <param name="FoundAt">When it was found first.</param>
public sealed record FindingView(TenantId TenantId, string Check, string Subject, string Detail, DateTimeOffset FoundAt);

/// <summary>
/// The checks of the books, which the database makes (functions billing.reconcile_*): a query each, that must return no row.
/// </summary>
internal static class Reconciliation
{
    /// <summary>Days that the hourly check looks back; once a day, and while a tenant is parked, it looks at everything.</summary>
    private const int Days = 40;

    /// <summary>All the books of a large tenant take longer than a statement may by default.</summary>
    private static readonly TimeSpan _longest = TimeSpan.FromMinutes(30);

    public static IReadOnlyDictionary<string, string> Checks { get; } = new SortedDictionary<string, string>(StringComparer.Ordinal)
    {
        ["run_unsettled"] = "An ended run has its three settlements",
        ["run_settled_early"] = "A run that has not ended has none",
        ["run_charged"] = "A run says that it cost what its settlements say",
        ["settlement_charge"] = "What was settled for a run was charged",
        ["usage_quantity"] = "As many devices were metered as settled",
        ["receipt_price"] = "The receipts of a run add up to its device settlement",
        ["reservation_stuck"] = "Money is held only for runs that live",
        ["receipt_chain"] = "Each receipt follows the one before it",
        ["charge_unbilled"] = "Each charge is on an invoice or, once its month is closed, in a metering record",
        ["charge_twice"] = "No charge is on an invoice and in a metering record",
        ["metering_sum"] = "A metering record holds the charges it was sealed with",
        ["metering_carry"] = "Each metering record carries in what the one before it carried out",
        ["line_amount"] = "A line bills what was charged",
        ["adjustment_uncharged"] = "Each correction has its charge",
        ["purchase_uncharged"] = "Each order was charged its price",
        ["invoice_total"] = "An issued document's total is the sum of its charges",
        ["invoice_chain"] = "Each issued document is unchanged and follows the one before it",
    };

    /// <summary>Checks a tenant in the caller's transaction and parks it or lets it go on. True: the books add up.</summary>
    public static async Task<bool> Check(SystemDb db, TenantId tenant, bool fully, int graceHours, CancellationToken cancel)
    {
        var timeout = db.Database.GetCommandTimeout();
        db.Database.SetCommandTimeout(_longest);
        db.Extend(_longest);
        try
        {
            return await db.Scalar<long>(
                $"""
                select billing.check_books(
                  {tenant.Value},
                  case when {fully} then 'epoch' else least(
                    now() - make_interval(days => {Days}),
                    (select min(lower(period)) - 2 from billing.invoice where tenant_id = {tenant.Value} and state = 'draft')) end,
                  make_interval(hours => {graceHours}))
                """,
                cancel) == 0;
        }
        finally
        {
            db.Database.SetCommandTimeout(timeout);
        }
    }

    public static async Task<List<FindingView>> Findings(SystemDb db, TenantId? tenant, int limit, CancellationToken cancel) =>
        [.. (await db.Query<FindingView>(
            $"""
            select tenant_id, check_name as "check", subject, detail, found_at from billing.finding
            where {tenant?.Value}::uuid is null or tenant_id = {tenant?.Value}
            order by found_at desc, tenant_id, check_name, subject limit {limit}
            """,
            cancel)).Select(finding => finding with { Subject = Subject(finding.Subject) })];

    /// <summary>Ids as the API shows them.</summary>
    private static string Subject(string subject)
    {
        var parts = subject.Split(' ', 2);
        return parts.Length < 2 || !Guid.TryParse(parts[1], out var id) ? subject : parts[0] switch
        {
            "run" => $"{new RunId(id)}",
            "charge" => $"{new ChargeId(id)}",
            "adjustment" => $"{new AdjustmentId(id)}",
            "purchase" => $"{new PurchaseId(id)}",
            _ => subject,
        };
    }
}
