using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Persistence;
using NetAutomation.Web;
using NetAutomation.Web.Http;

namespace NetAutomation.Billing.Ledger;

/// <summary>A monthly ceiling (UTC month) over charges and open reservations.</summary>
/// <param name="Monthly">The ceiling; null for none.</param>
public sealed record BudgetBody(Money? Monthly);

/// <summary>The budget and how much of it is used.</summary>
/// <param name="Monthly">The ceiling; null for none.</param>
/// <param name="Charged">Charged this month.</param>
/// <param name="Reserved">Held by runs that are not finished.</param>
public sealed record BudgetView(Money? Monthly, Money Charged, Money Reserved)
{
    /// <summary>Shown as the ETag.</summary>
    [JsonIgnore]
    public int Version { get; init; }
}

internal static class Budget
{
    /// <summary>The monthly ceiling, and how much of it is used.</summary>
    public static async Task<Ok<BudgetView>> GetBudget(NetAutomationDb db, Caller caller, HttpContext http)
    {
        var view = await Read(db, caller.Tenant, http.RequestAborted);
        ETags.Show(http, view.Version);
        return TypedResults.Ok(view);
    }

    /// <summary>Sets or lifts the monthly ceiling.</summary>
    public static async Task<Results<Ok<BudgetView>, Problem>> PutBudget(
        BudgetBody body, NetAutomationDb db, Caller caller, AuditLog audit, HttpContext http)
    {
        await Lock(db, caller.Tenant, http.RequestAborted);
        if (ETags.Check(http, (await Read(db, caller.Tenant, http.RequestAborted)).Version) is { } stale)
        {
            return stale;
        }

        if (body.Monthly < Money.Zero)
        {
            return Web.Problems.Refused.At("/monthly", "out_of_range", "A budget is not negative.");
        }

        await db.Execute(
            $"""
            insert into billing.budget (tenant_id, monthly_micros, version) values ({caller.Tenant.Value}, {body.Monthly?.Micros}, 2)
            on conflict (tenant_id) do update set monthly_micros = excluded.monthly_micros, version = budget.version + 1
            """,
            http.RequestAborted);
        await audit.Append(caller, "budget.set", caller.Tenant.ToString(), body, http.RequestAborted);
        return await GetBudget(db, caller, http);
    }

    /// <summary>
    /// Null where the month still covers <paramref name="more"/>. Locks the budget row, so parallel runs cannot overspend it.
    /// </summary>
    public static async Task<Problem?> Refusal(NetAutomationDb db, TenantId tenant, Money more, CancellationToken cancel)
    {
        if (await Lock(db, tenant, cancel) is not { } ceiling)
        {
            return null;
        }

        var view = await Read(db, tenant, cancel);
        if (view.Charged + view.Reserved + more <= ceiling)
        {
            return null;
        }

        return new Problem(Problems.BudgetExceeded)
        {
            Members = new Dictionary<string, object?>(StringComparer.Ordinal)
            {
                ["monthly"] = ceiling, ["charged"] = view.Charged, ["reserved"] = view.Reserved, ["wanted"] = more,
            },
        };
    }

    /// <summary>The ceiling, held against changes and other spending; null where there is none.</summary>
    private static Task<Money?> Lock(NetAutomationDb db, TenantId tenant, CancellationToken cancel) =>
        db.Scalar<Money?>($"select monthly_micros from billing.budget where tenant_id = {tenant.Value} for update", cancel);

    private static async Task<BudgetView> Read(NetAutomationDb db, TenantId tenant, CancellationToken cancel) =>
        (await db.Query<BudgetView>(
            $"""
            select b.monthly_micros as monthly, coalesce(b.version, 1) as version,
              (select coalesce(sum(c.amount_micros), 0)::bigint from billing.charge c
               where c.tenant_id = {tenant.Value}
                 and c.occurred_at >= date_trunc('month', now() at time zone 'UTC') at time zone 'UTC') as charged,
              (select coalesce(sum(r.amount_micros), 0)::bigint
               from runs.run o join billing.reservation r on r.tenant_id = o.tenant_id and r.run_id = o.id
               where o.tenant_id = {tenant.Value} and not o.terminal) as reserved
            from (select 1) one left join billing.budget b on b.tenant_id = {tenant.Value}
            """,
            cancel))[0];
}
