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

    public static async Task<Results<Ok<Page<PriceView>>, Problem>> List(
        SystemDb db, [AsParameters] PageQuery page, CancellationToken cancel, [Description("Only this price.")] string? sku = null,
        [Description("Only of this tenant.")] TenantId? tenantId = null)
    {
        var read =
            await page.Read(
                $"prices?{sku}&{tenantId}", (below, take) => Find(db, null, sku, tenantId, below, take, cancel), view => view.Id.Value);
        return read.Refused(out var problem, out var value) ? problem : TypedResults.Ok(value);
    }

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
            values ({id.Value}, {request.Sku}, {scope}, {Money.Currency}, {request.UnitPrice.Micros}, {request.FreePerMonth}, 'operator', tstzrange({start}, null))
            """,
            cancel);
        await Audit(db, caller, scope, "price.set", id, request, cancel);
        return TypedResults.Created((string?)null, (await Find(db, id.Value, null, null, null, 1, cancel))[0]);
    }

    /// <summary>Ends an agreed price, or an offer to rent or buy. The general price of a run can only be followed by another.</summary>
    public static async Task<Results<Ok<PriceView>, Problem>> End(
        PriceVersionId id, EndPriceRequest request, SystemDb db, OperatorCaller caller, CancellationToken cancel)
    {
        if (await Find(db, id.Value, null, null, null, 1, cancel) is not [var price])
        {
            return Web.Problems.NotFound.With();
        }

        if (price.TenantId is null && !Array.Exists(_offers, part => price.Sku.EndsWith(part, StringComparison.Ordinal)))
        {
            return Web.Problems.Conflict.With("A run always has a general price; set another one instead.");
        }

        var (at, open) = await Boundary(db, price.Sku, price.TenantId?.Value ?? Guid.Empty, request.At, cancel);
        if (at is not { } end)
        {
            return Web.Problems.Refused.At("/at", "in_the_past", "A price ends now or later.");
        }

        if (open?.Id != id || price.ValidFrom >= end)
        {
            return Web.Problems.Conflict.With("The price has an end already, or begins later.");
        }

        await db.Execute($"update billing.price_version set valid = tstzrange(lower(valid), {end}) where id = {id.Value}", cancel);
        await Audit(db, caller, price.TenantId?.Value ?? Guid.Empty, "price.ended", id, request, cancel);
        return TypedResults.Ok((await Find(db, id.Value, null, null, null, 1, cancel))[0]);
    }

    private static async Task<List<ProblemError>> Faults(SetPriceRequest request, SystemDb db, CancellationToken cancel)
    {
        var faults = new List<ProblemError>();
        if (!await db.Scalar<bool>(
            $"""
            select exists (select from billing.price_version where sku = {request.Sku} and sku not like '%/included') or
              exists (select from catalog.block where {request.Sku} in (slug || '/rental/month', slug || '/owned/once')) as "Value"
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
            && !await db.Scalar<bool>($"select exists (select from billing.account where tenant_id = {tenant.Value}) as \"Value\"", cancel))
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
        var open = (await Find(db, null, sku, scope == Guid.Empty ? null : new TenantId(scope), null, int.MaxValue, cancel))
            .SingleOrDefault(price => price.ValidTo is null && (price.TenantId?.Value ?? Guid.Empty) == scope);
        return (asked < now ? null : asked ?? now, open);
    }

    private static Task Audit(
        SystemDb db, OperatorCaller caller, Guid scope, string action, PriceVersionId id, object data, CancellationToken cancel) =>
        new AuditLog(db).Append(new TenantId(scope), $"operator:{caller.Name}", caller.Name, null, action, $"{id}", data, cancel);

    private static async Task<List<PriceView>> Find(
        SystemDb db, Guid? id, string? sku, TenantId? tenant, Guid? below, int take, CancellationToken cancel) =>
        [.. (await db.Query<Row>(
            $"""
            select id, sku, nullif(scope, '00000000-0000-0000-0000-000000000000') as scope, unit_micros, free_per_month, origin,
              lower(valid) as valid_from, upper(valid) as valid_to
            from billing.price_version
            where ({id}::uuid is null or id = {id}) and ({sku}::text is null or sku = {sku}) and ({tenant?.Value}::uuid is null or scope = {tenant?.Value})
              and ({below}::uuid is null or id < {below})
            order by id desc limit {take}
            """,
            cancel)).Select(row => new PriceView(
                new PriceVersionId(row.Id), row.Sku, row.Scope is { } scope ? new TenantId(scope) : null, new Money(row.UnitMicros),
                row.FreePerMonth, row.Origin,
                row.ValidFrom, row.ValidTo))];

    private sealed record Row(
        Guid Id, string Sku, Guid? Scope, long UnitMicros, long FreePerMonth, string Origin, DateTimeOffset ValidFrom,
        DateTimeOffset? ValidTo);
}
