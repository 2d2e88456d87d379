using Microsoft.Extensions.Options;
using NetAutomation.Marketplace;
using NetAutomation.Persistence;
using NetAutomation.Platform;
using Quartz;

namespace NetAutomation.Purchasing.Contracts;

/// <summary>
/// Makes the rights of contracts what AWS Marketplace lists: hourly, and soon after a licence changed. Where AWS cannot be asked all stays
/// as it is. Any number of processes may do it at once.
/// </summary>
[DisallowConcurrentExecution]
internal sealed partial class SyncContracts(
    SystemDb db, NetAutomation.Marketplace.Contracts contracts, IOptions<MarketplaceOptions> product, ILogger<SyncContracts> log) : IJob
{
    public async ValueTask Execute(IJobExecutionContext context, CancellationToken cancellationToken = default) => await Run(cancellationToken);

    public async Task Run(CancellationToken cancel)
    {
        if (product.Value.Contracts.Count == 0)
        {
            return;
        }

        var tenants = await db.Query<Guid>(
            $"""
            select distinct p.tenant_id from billing.payer p
            where (p.contracts_at is null or p.contracts_at < now() - interval '1 hour')
              and (p.closed_at is null or exists (
                select from purchasing.entitlement e where e.tenant_id = p.tenant_id and e.kind = 'contract' and tstzrange(e.starts_at, e.ends_at) @> now()))
            """,
            cancel);
        foreach (var tenant in tenants)
        {
            try
            {
                await Sync(new TenantId(tenant), cancel);
            }
            catch (Exception fault) when (!cancel.IsCancellationRequested)
            {
                Log.Failed(log, new TenantId(tenant), fault);
            }
        }
    }

    private async Task Sync(TenantId tenant, CancellationToken cancel)
    {
        var asked = await db.Scalar<DateTimeOffset>($"select clock_timestamp()", cancel);
        var payers = await db.Query<Payer>(
            $"select product_code, license_arn, aws_account from billing.payer where tenant_id = {tenant.Value} and closed_at is null", cancel);
        var listed = new Dictionary<ContractBlock, DateTimeOffset?>();
        foreach (var payer in payers)
        {
            foreach (var held in await contracts.Read(payer.ProductCode, payer.LicenseArn, payer.AwsAccount, cancel))
            {
                if (product.Value.Contracts.TryGetValue(held.Name, out var block))
                {
                    listed[block] = listed.TryGetValue(block, out var until) && (until is null || until > held.Until) ? until : held.Until;
                }
            }
        }

        await using var transaction = await db.Database.BeginTransactionAsync(cancel);
        await db.Execute($"select from billing.account where tenant_id = {tenant.Value} for no key update", cancel);
        var rights = await db.Query<Row>(
            $"""
            select id, block, major, ends_at from purchasing.entitlement
            where tenant_id = {tenant.Value} and kind = 'contract' and tstzrange(starts_at, ends_at) @> now() for update
            """,
            cancel);
        foreach (var (block, until) in listed)
        {
            var right = rights.Find(each => each.Block == block.Block && each.Major == block.Major);
            if (right is null)
            {
                await Grant(tenant, block, until, cancel);
            }
            else if (right.EndsAt != until)
            {
                await Change(tenant, right, until, "entitlement.extended", cancel);
            }
        }

        foreach (var right in rights.Where(each => !listed.ContainsKey(new ContractBlock { Block = each.Block, Major = each.Major })))
        {
            await Change(tenant, right, asked, "entitlement.ended", cancel);
        }

        await db.Execute($"update billing.payer set contracts_at = {asked} where tenant_id = {tenant.Value}", cancel);
        await transaction.CommitAsync(cancel);
    }

    private async Task Grant(TenantId tenant, ContractBlock block, DateTimeOffset? until, CancellationToken cancel)
    {
        var (purchase, right) = (PurchaseId.New(), EntitlementId.New());
        await db.Execute(
            $"""
            insert into purchasing.purchase (tenant_id, id, block, major, kind, price_micros, currency, created_by)
            values ({tenant.Value}, {purchase.Value}, {block.Block}, {block.Major}, 'contract', 0, {Money.Currency}, {Guid.Empty})
            """,
            cancel);
        await db.Execute(
            $"""
            insert into purchasing.entitlement (tenant_id, id, purchase_id, block, major, kind, starts_at, ends_at)
            values ({tenant.Value}, {right.Value}, {purchase.Value}, {block.Block}, {block.Major}, 'contract', now(), {until})
            """,
            cancel);
        await Audit(tenant, "entitlement.granted", right, until, cancel);
    }

    private async Task Change(TenantId tenant, Row right, DateTimeOffset? until, string action, CancellationToken cancel)
    {
        // A right that was granted a moment ago does not end before it began.
        await db.Execute(
            $"""
            update purchasing.entitlement set ends_at = case when {until}::timestamptz is not null then greatest(starts_at, {until}) end, version = version + 1
            where tenant_id = {tenant.Value} and id = {right.Id}
            """,
            cancel);
        await Audit(tenant, action, new EntitlementId(right.Id), until, cancel);
    }

    private Task Audit(TenantId tenant, string action, EntitlementId right, DateTimeOffset? until, CancellationToken cancel) =>
        new AuditLog(db).Append(tenant, "marketplace", "AWS Marketplace", null, action, $"{right}", new { until }, cancel);

    private sealed record Payer(string ProductCode, string? LicenseArn, string AwsAccount);

    private sealed record Row(Guid Id, string Block, int Major, DateTimeOffset? EndsAt);

    private static partial class Log
    {
        [LoggerMessage(1301, LogLevel.Warning, "Contracts of tenant {Tenant} could not be read from AWS Marketplace")]
        public static partial void Failed(ILogger logger, TenantId tenant, Exception exception);
    }
}
