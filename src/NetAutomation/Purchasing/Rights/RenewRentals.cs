using NetAutomation.Billing;
using NetAutomation.Persistence;
using NetAutomation.Platform;
using Quartz;

namespace NetAutomation.Purchasing.Rights;

/// <summary>
/// Renews rentals in the last hour of their term, for the same term at the price then in force: a new order and a new right that begins
/// where the old one ends. One order per right by its key, however often and on however many processes this runs. A refusal (budget,
/// payment, offer withdrawn) is noted on the right and tried again until a day after its end.
/// </summary>
[DisallowConcurrentExecution]
internal sealed class RenewRentals(IServiceScopeFactory scopes) : IJob
{
    private const string Unrenewed = "unrenewed";

    public async ValueTask Execute(IJobExecutionContext context, CancellationToken cancellationToken = default) => await Run(cancellationToken);

    public async Task Run(CancellationToken cancel)
    {
        foreach (var due in await Due(cancel))
        {
            await using var scope = scopes.CreateAsyncScope();
            await Renew(scope.ServiceProvider, new TenantId(due.TenantId), new EntitlementId(due.Id), cancel);
        }
    }

    private async Task<List<DueRow>> Due(CancellationToken cancel)
    {
        await using var scope = scopes.CreateAsyncScope();
        return await scope.ServiceProvider.GetRequiredService<SystemDb>().Query<DueRow>(
            $"""
            select tenant_id, id from purchasing.entitlement e
            where auto_renew and ends_at between now() - interval '1 day' and now() + interval '1 hour'
              and not exists (select from purchasing.purchase p where p.tenant_id = e.tenant_id and p.renewal_of = e.id)
            order by ends_at
            """,
            cancel);
    }

    private static async Task Renew(IServiceProvider services, TenantId tenant, EntitlementId id, CancellationToken cancel)
    {
        var (db, ledger) = (services.GetRequiredService<NetAutomationDb>(), services.GetRequiredService<UsageLedger>());
        await using var transaction = await db.Begin(tenant, cancel);
        var rows = await db.Query<Row>(
            $"""
            select e.block, e.major, e.ends_at, e.renewal_refused, greatest(e.ends_at, now()) as starts_at, p.months, p.created_by
            from purchasing.entitlement e join purchasing.purchase p on p.tenant_id = e.tenant_id and p.id = e.purchase_id
            where e.tenant_id = {tenant.Value} and e.id = {id.Value} and e.auto_renew
              and not exists (select from purchasing.purchase r where r.tenant_id = e.tenant_id and r.renewal_of = e.id)
            for update of e skip locked
            """,
            cancel);
        if (rows is not [var rental])
        {
            return;
        }

        await transaction.CreateSavepointAsync(Unrenewed, cancel);
        var audit = new AuditLog(db);
        if (await Order(db, ledger, tenant, id, rental, cancel) is { } refused)
        {
            await transaction.RollbackToSavepointAsync(Unrenewed, cancel);
            var code = refused.Type.Code;
            if (code == rental.RenewalRefused)
            {
                return;
            }

            await db.Execute(
                $"update purchasing.entitlement set renewal_refused = {code}, version = version + 1 where tenant_id = {tenant.Value} and id = {id.Value}", cancel);
            await audit.Append(tenant, "rentals", "rentals", null, "entitlement.renewal_refused", $"{id}", new { code, refused.Detail }, cancel);
        }
        else
        {
            await audit.Append(tenant, "rentals", "rentals", null, "entitlement.renewed", $"{id}", new { rental.StartsAt, rental.Months }, cancel);
        }

        await transaction.CommitAsync(cancel);
    }

    private static async Task<Problem?> Order(NetAutomationDb db, UsageLedger ledger, TenantId tenant, EntitlementId id, Row rental, CancellationToken cancel)
    {
        if (await PriceList.Offer(db, rental.Block, "rental/month", cancel) is not { } offer)
        {
            return Problems.NotOffered.With();
        }

        var (purchase, price) = (PurchaseId.New(), offer.Unit * rental.Months);
        await db.Execute(
            $"""
            insert into purchasing.purchase (tenant_id, id, block, major, kind, months, price_micros, currency, price_version_id, created_by, renewal_of)
            values ({tenant.Value}, {purchase.Value}, {rental.Block}, {rental.Major}, 'rental', {rental.Months}, {price.Micros}, {Money.Currency}, {offer.Id.Value},
                    {rental.CreatedBy}, {id.Value})
            """,
            cancel);
        await db.Execute(
            $"""
            insert into purchasing.entitlement (tenant_id, id, purchase_id, block, major, kind, starts_at, ends_at, auto_renew)
            values ({tenant.Value}, {EntitlementId.New().Value}, {purchase.Value}, {rental.Block}, {rental.Major}, 'rental', {rental.StartsAt},
                    {rental.StartsAt.AddMonths(rental.Months)}, true)
            """,
            cancel);
        return await ledger.ChargePurchase(
            tenant, purchase, $"{rental.Block}/rental/month", $"{rental.Block}: rental/month, renewal", offer.Id, rental.Months, price, cancel);
    }

    private sealed record DueRow(Guid TenantId, Guid Id);

    private sealed record Row(
        string Block, int Major, DateTimeOffset EndsAt, string? RenewalRefused, DateTimeOffset StartsAt, int Months, Guid CreatedBy);
}
