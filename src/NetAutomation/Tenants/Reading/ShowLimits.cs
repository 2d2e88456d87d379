using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Persistence;
using NetAutomation.Web;
using NetAutomation.Web.Rates;

namespace NetAutomation.Tenants.Reading;

/// <summary>A limit and how much of it is used.</summary>
/// <param name="Limit">Its name, as refusals give it.</param>
/// <param name="Max">The most there may be; of a rate, the most at once.</param>
/// <param name="Used">Used now.</param>
/// <param name="Unit">What is counted.</param>
/// <param name="WindowSeconds">Of a rate: in this time as much becomes free again as there may be.</param>
/// <param name="ResetsAt">Of what is counted by the month (UTC): when it begins again at nothing.</param>
public sealed record LimitView(string Limit, long Max, long Used, string Unit, int? WindowSeconds, DateTimeOffset? ResetsAt);

/// <summary>All limits of a tenant.</summary>
/// <param name="Items">The limits on what there is, then the rates as the process that answers sees them.</param>
public sealed record LimitsView(IReadOnlyList<LimitView> Items);

internal static class ShowLimits
{
    /// <summary>The limits of the tenant and how much of each is used. The provider raises one where it is asked to.</summary>
    public static async Task<Ok<LimitsView>> Handle(
        NetAutomationDb db, Caller caller, RateLimits rates, TimeProvider clock, HttpContext http, CancellationToken cancel) =>
        TypedResults.Ok(new LimitsView([
            .. await Counts(db, caller.Tenant, clock, cancel),
            .. rates.Show(http, caller.Tenant, caller.EndpointId)
                .Select(rate => new LimitView(rate.Name, rate.Max, rate.Used, rate.Unit, rate.WindowSeconds, null))]));

    /// <summary>The limits on counts, in the order of their table.</summary>
    public static async Task<IEnumerable<LimitView>> Counts(
        NetAutomationDb db, TenantId tenant, TimeProvider clock, CancellationToken cancel)
    {
        var rows = await db.Query<Row>($"select name, max, used from web.limits({tenant.Value})", cancel);
        return Limits.All.Join(rows, limit => limit.Name, row => row.Name, (limit, row) => new LimitView(
            row.Name, row.Max, row.Used, limit.Unit, null, limit.Monthly ? LimitReached.EndOfMonth(clock) : null));
    }

    private sealed record Row(string Name, long Max, long Used);
}
