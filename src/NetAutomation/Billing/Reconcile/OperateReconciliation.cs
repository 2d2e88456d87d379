using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Options;
using NetAutomation.Persistence;

namespace NetAutomation.Billing.Reconcile;

/// <summary>Whether the books add up.</summary>
/// <param name="Tenants">How many are checked.</param>
/// <param name="Parked">How many have findings: nothing is issued for them, their runs go on.</param>
/// <param name="OldestCheckAt">When the tenant was checked that waits longest; null where one never was.</param>
/// <param name="NewestCheckAt">When a tenant was checked last.</param>
/// <param name="Checks">Every check with its findings counted.</param>
/// <param name="Findings">The newest 500 findings.</param>
public sealed record ReconciliationView(
    long Tenants, long Parked, DateTimeOffset? OldestCheckAt, DateTimeOffset? NewestCheckAt, IReadOnlyList<CheckView> Checks,
    IReadOnlyList<FindingView> Findings);

/// <summary>A check.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Meaning">What holds where it finds nothing.</param>
/// <param name="Findings">How often it does not hold.</param>
public sealed record CheckView(string Name, string Meaning, long Findings);

internal static class OperateReconciliation
{
    private const int Shown = 500;

    /// <summary>What the last check of each tenant found.</summary>
    public static async Task<Ok<ReconciliationView>> Get(SystemDb db, CancellationToken cancel) => TypedResults.Ok(await Read(db, cancel));

    /// <summary>Checks every tenant from its beginning, now.</summary>
    public static async Task<Ok<ReconciliationView>> Run(SystemDb db, IOptions<BillingOptions> options, CancellationToken cancel)
    {
        foreach (var tenant in await db.Query<TenantId>($"select tenant_id from billing.account order by 1", cancel))
        {
            await using var transaction = await db.Database.BeginTransactionAsync(cancel);
            await Reconciliation.Check(db, tenant, fully: true, options.Value.GraceHours, cancel);
            await transaction.CommitAsync(cancel);
        }

        return TypedResults.Ok(await Read(db, cancel));
    }

    /// <summary>The same as a page.</summary>
    public static async Task<ContentHttpResult> GetHtml(SystemDb db, HttpContext http, CancellationToken cancel)
    {
        var view = await Read(db, cancel);
        var checks = view.Checks.Select(check =>
            $"""
            <tr><td>{Html.Text(check.Name)}</td><td>{Html.Text(check.Meaning)}</td><td>{check.Findings}</td></tr>
            """);
        var findings = view.Findings.Select(finding =>
            $"""
            <tr><td>{finding.TenantId}</td><td>{Html.Text(finding.Check)}</td><td>{Html.Text(finding.Subject)}</td>
            <td>{Html.Text(finding.Detail)}</td><td>{finding.FoundAt:u}</td></tr>
            """);
        return Html.Page(
            http, "Reconciliation", "",
            $"""
            <p>{view.Tenants} tenants, {view.Parked} parked. Checked between {view.OldestCheckAt:u} and {view.NewestCheckAt:u}.</p>
            <table border="1"><tr><th>Check</th><th>Meaning</th><th>Findings</th></tr>
            {string.Concat(checks)}
            </table><h2>Findings</h2>
            <table border="1"><tr><th>Tenant</th><th>Check</th><th>Subject</th><th>Detail</th><th>Since</th></tr>
            {string.Concat(findings)}
            </table>
            """);
    }

    private static async Task<ReconciliationView> Read(SystemDb db, CancellationToken cancel)
    {
        var sums = (await db.Query<Sums>(
            $"""
            select count(*) as tenants, count(parked_at) as parked, max(checked_at) as newest,
              case when count(checked_at) = count(*) then min(checked_at) end as oldest
            from billing.account
            """,
            cancel))[0];
        var found = (await db.Query<Count>($"select check_name as name, count(*) as rows from billing.finding group by 1", cancel))
            .ToDictionary(row => row.Name, row => row.Rows, StringComparer.Ordinal);
        return new ReconciliationView(
            sums.Tenants, sums.Parked, sums.Oldest, sums.Newest,
            [.. Reconciliation.Checks.Select(check => new CheckView(check.Key, check.Value, found.GetValueOrDefault(check.Key)))],
            await Reconciliation.Findings(db, null, Shown, cancel));
    }

    private sealed record Sums(long Tenants, long Parked, DateTimeOffset? Oldest, DateTimeOffset? Newest);

    private sealed record Count(string Name, long Rows);
}
