using NetAutomation.Persistence;

namespace NetAutomation.Billing.Ledger;

/// <summary>
/// The free part of each month. A reservation takes the rest of it before any money, and the settlement gives back the part that the run
/// did not use. Only triggers write the rows of the allowance, and they refuse to grant more than there is.
/// </summary>
internal static class FreeAllowance
{
    /// <summary>
    /// Lines with their free quantity and the amount that is left to pay. Locks the allowance until the caller's transaction ends.
    /// </summary>
    public static async Task<IReadOnlyList<Hold>> Take(
        NetAutomationDb db, TenantId tenant, IReadOnlyList<PriceLine> lines, CancellationToken cancel)
    {
        var holds = new List<Hold>();
        foreach (var line in lines)
        {
            var free = line.FreePerMonth > 0 && line.UnitPrice > Money.Zero
                ? Math.Min(line.Quantity, await Left(db, tenant, line, cancel)) : 0;
            holds.Add(new Hold(line, free, line.UnitPrice * (line.Quantity - free)));
        }

        return holds;
    }

    private static async Task<long> Left(NetAutomationDb db, TenantId tenant, PriceLine line, CancellationToken cancel)
    {
        var name = $"free/{tenant}/{line.Sku}";
        var (_, taken) = await db.Query<int, long>(
            $"select 1 from pg_advisory_xact_lock(hashtextextended({name}, 0))",
            $"""
            select coalesce(sum(held + used), 0)::bigint from billing.free_allowance
            where tenant_id = {tenant.Value} and sku = {line.Sku} and month = date_trunc('month', now() at time zone 'UTC')::date
            """,
            cancel);
        return Math.Max(0, line.FreePerMonth - taken[0]);
    }

    /// <summary>The free quantity and the money that one line holds.</summary>
    public sealed record Hold(PriceLine Line, long Free, Money Amount);
}
