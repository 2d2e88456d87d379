using System.ComponentModel;
using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Persistence;
using NetAutomation.Web;

namespace NetAutomation.Billing.Operators;

/// <summary>One immutable version of a price.</summary>
/// <param name="Id">The version; reservations and charges name it.</param>
/// <param name="Sku">Name of the price: block and part.</param>
/// <param name="TenantId">The tenant it was agreed with; null for everyone.</param>
/// <param name="UnitPrice">Price of one.</param>
/// <param name="FreePerMonth">How many cost nothing in each month (UTC).</param>
/// <param name="Origin"><c>manifest</c>: of the block; <c>operator</c>: made here, and then the block's own gives way to it.</param>
/// <param name="ValidFrom">In force from.</param>
/// <param name="ValidTo">In force until; null while open.</param>
public sealed record PriceView(
    PriceVersionId Id, string Sku, TenantId? TenantId, Money UnitPrice, long FreePerMonth, string Origin, DateTimeOffset ValidFrom,
    DateTimeOffset? ValidTo);

/// <summary>A new price. What is quoted or running keeps the price it has.</summary>
/// <param name="Sku">A price the block has: <c>slug/apply/device</c>, <c>slug/rental/month</c> and so on.</param>
/// <param name="UnitPrice">Price of one.</param>
/// <param name="TenantId">Only for this tenant; for everyone where omitted.</param>
/// <param name="FreePerMonth">How many cost nothing in each month (UTC). Not for rentals and sales.</param>
/// <param name="ValidFrom">Not in the past; now where omitted. Past errors are corrected by adjustments.</param>
public sealed record SetPriceRequest(
    string Sku, Money UnitPrice, TenantId? TenantId = null, long FreePerMonth = 0, DateTimeOffset? ValidFrom = null);

/// <summary>Ends a price.</summary>
/// <param name="At">Not in the past; now where omitted.</param>
public sealed record EndPriceRequest(DateTimeOffset? At = null);

/// <summary>Prices made by the provider's staff.</summary>
internal static class OperatePrices
{
    private static readonly TimeSpan _furthest = TimeSpan.FromDays(400);
    private static readonly string[] _offers = ["rental/month", "owned/once"];

    public static Task<Results<Ok<Page<PriceView>>, Problem>> List(
        SystemDb db, [AsParameters] PageQuery page, CancellationToken cancel, [Description("Only this price.")] string? sku = null,
        [Description("Only of this tenant.")] TenantId? tenantId = null) =>
        page.Answer(
            $"prices?{sku}&{tenantId}", (below, take) => Find(db, cancel, sku: sku, tenant: tenantId, below: below, take: take),
            view => view.Id.Value);

    /// <summary>Ends the open version of the price and begins a new one, at the same instant.</summary>
    public static async Task<Results<Created<PriceView>, Problem>> Set(
        SetPriceRequest request, SystemDb db, OperatorCaller caller, CancellationToken cancel)
    {
        if (await Faults(request, db, cancel) is { Count: > 0 } faults)
        {
            return new Problem(Web.Problems.Refused, "The price cannot be set.", faults);
        }

        var scope = request.TenantId?.Value ?? Guid.Empty;
        var (from, open) = await Boundary(db, request.Sku, scope, request.ValidFrom, cancel);
        if (from is not { } start)
        {
            return Web.Problems.Refused.At("/validFrom", "in_the_past", "A price begins now or later.");
        }

        if (open?.ValidFrom >= start)
        {
            return Web.Problems.Conflict.With($"A price is set from {open.ValidFrom:O} on; a new one begins after it.");
        }

        if (open is not null)
        {
            await db.Execute(
                $"update billing.price_version set valid = tstzrange(lower(valid), {start}) where id = {open.Id.Value}", cancel);
        }

        var id = PriceVersionId.New();
        await db.Execute(
            $"""
            insert into billing.price_version (id, sku, scope, currency, unit_micros, free_per_month, origin, valid)
            values ({id.Value}, {request.Sku}, {scope}, {Money.Currency}, {request.UnitPrice.Micros}, {request.FreePerMonth}, 'operator',
              tstzrange({start}, null))
            """,
            cancel);
        await new AuditLog(db).Append(caller, new TenantId(scope), "price.set", $"{id}", request, cancel);
        return TypedResults.Created((string?)null, (await Find(db, cancel, id))[0]);
    }

    /// <summary>Ends an agreed price, or an offer to rent or buy. The general price of a run can only be followed by another.</summary>
    public static async Task<Results<Ok<PriceView>, Problem>> End(
        PriceVersionId id, EndPriceRequest request, SystemDb db, OperatorCaller caller, CancellationToken cancel)
    {
        if (await Find(db, cancel, id) is not [var price])
        {
            return Web.Problems.NotFound.With();
        }

        if (price.TenantId is null && !Array.Exists(_offers, part => price.Sku.EndsWith(part, StringComparison.Ordinal)))
        {
            return Web.Problems.Conflict.With("A run always has a general price; set another one instead.");
        }

        var scope = price.TenantId?.Value ?? Guid.Empty;
        var (at, open) = await Boundary(db, price.Sku, scope, request.At, cancel);
        if (at is not { } end)
        {
            return Web.Problems.Refused.At("/at", "in_the_past", "A price ends now or later.");
        }

        if (open?.Id != id || price.ValidFrom >= end)
        {
            return Web.Problems.Conflict.With("The price has an end already, or begins later.");
        }

        await db.Execute($"update billing.price_version set valid = tstzrange(lower(valid), {end}) where id = {id.Value}", cancel);
        await new AuditLog(db).Append(caller, new TenantId(scope), "price.ended", $"{id}", request, cancel);
        return TypedResults.Ok((await Find(db, cancel, id))[0]);
    }

    private static async Task<List<ProblemError>> Faults(SetPriceRequest request, SystemDb db, CancellationToken cancel)
    {
        var faults = new List<ProblemError>();
        if (!await db.Scalar<bool>(
            $"""
            select exists (select from billing.price_version where sku = {request.Sku} and sku not like '%/included') or
              exists (select from catalog.block where {request.Sku} in (slug || '/rental/month', slug || '/owned/once'))
            """,
            cancel))
        {
            faults.Add(new ProblemError("/sku", "unknown_price", "No block has such a price."));
        }

        if (request.UnitPrice < Money.Zero || request.UnitPrice > Money.Most)
        {
            faults.Add(new ProblemError("/unitPrice", "out_of_range", $"A price is 0 to {Money.Most} {Money.Currency}."));
        }

        if (request.ValidFrom > DateTimeOffset.UtcNow + _furthest)
        {
            faults.Add(
                new ProblemError(
                    "/validFrom", "out_of_range",
                    $"At most {_furthest.Days} days ahead: until then the price cannot be changed for an earlier time."));
        }

        if (request.FreePerMonth < 0
            || (request.FreePerMonth > 0 && Array.Exists(_offers, part => request.Sku.EndsWith(part, StringComparison.Ordinal))))
        {
            faults.Add(new ProblemError("/freePerMonth", "out_of_range", "At least 0, and 0 for rentals and sales."));
        }

        if (request.TenantId is { } tenant
            && !await db.Scalar<bool>($"select exists (select from billing.account where tenant_id = {tenant.Value})", cancel))
        {
            faults.Add(new ProblemError("/tenantId", "unknown_tenant", "No such tenant has a billing account."));
        }

        return faults;
    }

    /// <summary>
    /// The instant asked for, or now; null where it has passed. And the version it would follow. Holds off other changes of the price.
    /// </summary>
    private static async Task<(DateTimeOffset? At, PriceView? Open)> Boundary(
        SystemDb db, string sku, Guid scope, DateTimeOffset? asked, CancellationToken cancel)
    {
        await db.Execute($"select pg_advisory_xact_lock(hashtextextended({$"price/{sku}/{scope}"}, 0))", cancel);
        var now = await db.Scalar<DateTimeOffset>($"select clock_timestamp()", cancel);
        TenantId? tenant = scope == Guid.Empty ? null : new TenantId(scope);
        var open = (await Find(db, cancel, sku: sku, tenant: tenant, take: int.MaxValue))
            .SingleOrDefault(price => price.ValidTo is null && price.TenantId == tenant);
        return (asked < now ? null : asked ?? now, open);
    }

    private static Task<List<PriceView>> Find(
        SystemDb db, CancellationToken cancel, PriceVersionId? id = null, string? sku = null, TenantId? tenant = null, Guid? below = null,
        int take = 1) => db.Query<PriceView>(
        $"""
        select id, sku, nullif(scope, '00000000-0000-0000-0000-000000000000') as tenant_id, unit_micros as unit_price, free_per_month,
          origin, lower(valid) as valid_from, upper(valid) as valid_to
        from billing.price_version
        where ({id?.Value}::uuid is null or id = {id?.Value}) and ({sku}::text is null or sku = {sku})
          and ({tenant?.Value}::uuid is null or scope = {tenant?.Value}) and ({below}::uuid is null or id < {below})
        order by id desc limit {take}
        """,
        cancel);
}
