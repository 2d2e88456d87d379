using NetAutomation.Billing;
using NetAutomation.Catalog;
using NetAutomation.Persistence;
using NetAutomation.Purchasing.Buy;
using NetAutomation.Web;

namespace NetAutomation.Purchasing.Rights;

/// <summary>
/// Renews rentals in the last hour of their term, for the same term at the price then in force: a new order and a new right that begins
/// where the old one ends. One order per right by its key, however often and on however many processes this runs. A refusal (budget,
/// payment, offer withdrawn) is noted on the right and tried again until a day after its end.
/// </summary>
internal sealed partial class RenewRentals(SystemDb system, IServiceScopeFactory scopes, ILogger<RenewRentals> log)
{
    private const string Unrenewed = "unrenewed";

    public async Task Run(CancellationToken cancel)
    {
        var rentals = await system.Query<DueRow>(
            $"""
            select tenant_id, id, block from purchasing.entitlement e
            where auto_renew and ends_at between now() - interval '1 day' and now() + interval '1 hour'
              and not exists (select from purchasing.purchase p where p.tenant_id = e.tenant_id and p.renewal_of = e.id)
            order by ends_at
            """,
            cancel);
        foreach (var due in rentals)
        {
            try
            {
                await using var scope = scopes.CreateAsyncScope();
                await Renew(scope.ServiceProvider, due, cancel);
            }
            catch (Exception fault) when (!cancel.IsCancellationRequested)
            {
                // One that fails stops no other; it is tried again.
                Log.Failed(log, due.Id, fault);
            }
        }
    }

    private static async Task Renew(IServiceProvider services, DueRow due, CancellationToken cancel)
    {
        var (tenant, id, block) = due;
        var db = services.GetRequiredService<NetAutomationDb>();
        await using var transaction = await db.Begin(tenant, cancel);
        await BuyBlock.Lock(db, tenant, block, cancel);
        var rows = await db.Query<Row>(
            $"""
            select e.block, e.major, e.renewal_refused, greatest(e.ends_at, now()) as starts_at, p.months, p.created_by,
              case when e.ends_at >= now() then coalesce(e.anchor_at, e.starts_at) end as anchor_at,
              exists (
                select from purchasing.entitlement o
                where o.tenant_id = e.tenant_id and o.block = e.block and o.major = e.major and o.kind = e.kind
                  and o.id <> e.id and coalesce(o.ends_at, 'infinity') > greatest(e.ends_at, now())) as rented_again
            from purchasing.entitlement e join purchasing.purchase p on p.tenant_id = e.tenant_id and p.id = e.purchase_id
            where e.tenant_id = {tenant.Value} and e.id = {id.Value} and e.auto_renew
              and not exists (select from purchasing.purchase r where r.tenant_id = e.tenant_id and r.renewal_of = e.id)
            for update of e
            """,
            cancel);
        if (rows is not [var rental])
        {
            return;
        }

        if (rental.RentedAgain)
        {
            await db.Execute(
                $"""
                update purchasing.entitlement set auto_renew = false, version = version + 1
                where tenant_id = {tenant.Value} and id = {id.Value}
                """,
                cancel);
            await transaction.CommitAsync(cancel);
            return;
        }

        await transaction.CreateSavepointAsync(Unrenewed, cancel);
        var audit = new AuditLog(db);
        if (await NextTerm(services, tenant, id, rental, cancel) is { } refused)
        {
            await transaction.RollbackToSavepointAsync(Unrenewed, cancel);
            var code = refused.Type.Code;
            if (code == rental.RenewalRefused)
            {
                return;
            }

            await db.Execute(
                $"""
                update purchasing.entitlement set renewal_refused = {code}, version = version + 1
                where tenant_id = {tenant.Value} and id = {id.Value}
                """,
                cancel);
            await audit.Append(
                tenant, "rentals", "rentals", null, "entitlement.renewal_refused", $"{id}", new { code, refused.Detail }, cancel);
        }
        else
        {
            await audit.Append(
                tenant, "rentals", "rentals", null, "entitlement.renewed", $"{id}", new { rental.StartsAt, rental.Months }, cancel);
        }

        await transaction.CommitAsync(cancel);
    }

    private static async Task<Problem?> NextTerm(
        IServiceProvider services, TenantId tenant, EntitlementId id, Row rental, CancellationToken cancel)
    {
        var db = services.GetRequiredService<NetAutomationDb>();
        var catalog = services.GetRequiredService<BlockCatalog>();
        if ((await catalog.Find(db, rental.Block, null, rental.Major, cancel)).Refused(out var withdrawn, out _))
        {
            return withdrawn;
        }

        if (await PriceList.Offer(db, rental.Block, "rental/month", cancel) is not { } offer)
        {
            return Problems.NotOffered.With();
        }

        var order = new Order(
            rental.Block, rental.Major, PurchaseKind.Rental, rental.Months, offer.Unit * rental.Months, offer.Id, rental.CreatedBy,
            rental.StartsAt, rental.EndsAt, AutoRenew: true, rental.Anchor, RenewalOf: id);
        await order.Write(db, tenant, cancel);
        return await services.GetRequiredService<UsageLedger>().ChargePurchase(
            tenant, order.Id, $"{rental.Block}/rental/month", $"{rental.Block}: rental/month, renewal", offer.Id, rental.Months,
            order.Price, cancel);
    }

    private sealed record DueRow(TenantId TenantId, EntitlementId Id, string Block);

    private sealed record Row(
        string Block, int Major, string? RenewalRefused, DateTimeOffset StartsAt, int Months, MemberId CreatedBy, DateTimeOffset? AnchorAt,
        bool RentedAgain)
    {
        /// <summary>From where terms are counted; a renewal that comes late begins anew.</summary>
        public DateTimeOffset Anchor => AnchorAt ?? StartsAt;

        public DateTimeOffset EndsAt => Anchor.AddMonths(((StartsAt.Year - Anchor.Year) * 12) + StartsAt.Month - Anchor.Month + Months);
    }

    private static partial class Log
    {
        [LoggerMessage(1303, LogLevel.Error, "The rental {Entitlement} could not be renewed")]
        public static partial void Failed(ILogger logger, EntitlementId entitlement, Exception exception);
    }
}
