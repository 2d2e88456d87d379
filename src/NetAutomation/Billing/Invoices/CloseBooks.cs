using Microsoft.Extensions.Options;
using NetAutomation.Billing.Reconcile;
using NetAutomation.Persistence;
using NetAutomation.Web;

namespace NetAutomation.Billing.Invoices;

/// <summary>
/// Checks tenants, one transaction each, and issues for those whose books add up. Runs every hour for drafts that are
/// due; one that replaces a void invoice waits for a person, since a person voided that invoice.
/// </summary>
internal sealed partial class CloseBooks(
    SystemDb db, IssueInvoices issue, IServiceScopeFactory scopes, BooksMetrics metrics, IOptions<BillingOptions> options,
    TimeProvider clock, ILogger<CloseBooks> log)
{
    private const int Shown = 200;

    public async Task Run(CancellationToken cancel)
    {
        var parked = 0;
        foreach (var tenant in await db.Query<TenantId>($"select tenant_id from billing.account order by 1", cancel))
        {
            parked += (await Try(tenant, null, due: true, "scheduler", cancel)).Findings.Count > 0 ? 1 : 0;
        }

        metrics.Parked(parked);
    }

    /// <summary>Issues every draft of a month that is over.</summary>
    public async Task<Closed> Month(DateOnly month, string by, CancellationToken cancel)
    {
        var all = new Closed([], []);
        foreach (var tenant in await db.Query<TenantId>(
            $"select distinct tenant_id from billing.invoice where state = 'draft' and lower(period) = {month} order by 1", cancel))
        {
            var one = await Try(tenant, month, due: false, by, cancel);
            all = new Closed([.. all.Issued, .. one.Issued], [.. all.Findings, .. one.Findings]);
        }

        return all;
    }

    /// <param name="invoice">Only this one.</param>
    /// <param name="month">Only of this month.</param>
    /// <param name="due">Only drafts whose grace period is over and whose month was never issued before.</param>
    public async Task<Closed> Close(TenantId tenant, InvoiceId? invoice, DateOnly? month, bool due, string by, CancellationToken cancel)
    {
        await using var transaction = await db.Database.BeginTransactionAsync(cancel);
        var issued = new List<InvoiceHead>();
        var findings = new List<FindingView>();
        if (await Reconciliation.Check(db, tenant, fully: false, options.Value.GraceHours, cancel))
        {
            foreach (var draft in await db.Query<InvoiceId>(
                $"""
                select id from billing.invoice
                where tenant_id = {tenant.Value} and state = 'draft' and (upper(period)::timestamp at time zone 'UTC') <= now()
                  and ({invoice?.Value}::uuid is null or id = {invoice?.Value}) and ({month}::date is null or lower(period) = {month})
                  and (not {due} or (revision = 1
                    and (upper(period)::timestamp at time zone 'UTC') <= now() - make_interval(hours => {options.Value.GraceHours})))
                  and (kind = 'statement' or exists (
                    select from billing.invoice_line l where l.tenant_id = invoice.tenant_id and l.invoice_id = invoice.id))
                order by period, kind
                """,
                cancel))
            {
                issued.Add((await issue.Issue(tenant, draft, by, cancel))!);
            }
        }
        else
        {
            findings = await Reconciliation.Findings(db, tenant, Shown, cancel);
        }

        await transaction.CommitAsync(cancel);
        return new Closed(issued, findings);
    }

    /// <summary>A fault of one tenant stops no other.</summary>
    private async Task<Closed> Try(TenantId tenant, DateOnly? month, bool due, string by, CancellationToken cancel)
    {
        try
        {
            await using var scope = scopes.CreateAsyncScope();
            var closed = await scope.ServiceProvider.GetRequiredService<CloseBooks>().Close(tenant, null, month, due, by, cancel);
            if (closed.Findings.Count > 0)
            {
                Log.Parked(
                    log, tenant, string.Join(", ", closed.Findings.Select(finding => finding.Check).Distinct(StringComparer.Ordinal)));
            }

            return closed;
        }
        catch (Exception fault) when (!cancel.IsCancellationRequested)
        {
            Log.Failed(log, fault, tenant);
            return new Closed(
                [], [new FindingView(
                    tenant, "not_checked", $"{tenant}", "It could not be checked or issued; the log says why.", clock.GetUtcNow())]);
        }
    }

    /// <summary>The invoices that were issued, and the findings that prevented others.</summary>
    internal sealed record Closed(IReadOnlyList<InvoiceHead> Issued, IReadOnlyList<FindingView> Findings)
    {
        public Problem Refusal() => new(Problems.NotReconciled, $"{Findings.Count} findings; see GET /operator/v1/reconciliation.")
        {
            Members = new Dictionary<string, object?>(StringComparer.Ordinal)
            {
                ["findings"] = Findings, ["issued"] = Issued.Select(head => head.Id).ToList(),
            },
        };
    }

    private static partial class Log
    {
        [LoggerMessage(1208, LogLevel.Error, "The books of tenant {Tenant} do not add up, its invoicing is parked: {Checks}")]
        public static partial void Parked(ILogger logger, TenantId tenant, string checks);

        [LoggerMessage(1209, LogLevel.Error, "The books of tenant {Tenant} could not be checked or closed")]
        public static partial void Failed(ILogger logger, Exception exception, TenantId tenant);
    }
}
