using Microsoft.Extensions.Options;
using NetAutomation.Marketplace;
using NetAutomation.Persistence;
using NetAutomation.Purchasing.Buy;
using NetAutomation.Web;

namespace NetAutomation.Purchasing.Rights;

/// <summary>
/// Makes the rights by contract those that AWS Marketplace lists: hourly, and soon after a licence changed. Where AWS does not answer,
/// they stay as they are. Any number of processes may do it at once.
/// </summary>
internal sealed partial class SyncContracts(
    SystemDb db, Contracts contracts, IOptions<MarketplaceOptions> product, ILogger<SyncContracts> log)
{
    public async Task Run(CancellationToken cancel)
    {
        // Without a mapping no contract is a right any more, and AWS need not be asked.
        var any = product.Value.Contracts.Count > 0;
        var tenants = await db.Query<TenantId>(
            $"""
            select distinct p.tenant_id from billing.payer p
            where (p.contracts_at is null or p.contracts_at < now() - interval '1 hour')
              and (({any} and p.closed_at is null) or exists (
                select from purchasing.entitlement e
                where e.tenant_id = p.tenant_id and e.kind = 'contract' and tstzrange(e.starts_at, e.ends_at) @> now()))
            """,
            cancel);
        foreach (var tenant in tenants)
        {
            try
            {
                await Sync(tenant, cancel);
            }
            catch (Exception fault) when (!cancel.IsCancellationRequested)
            {
                Log.Failed(log, tenant, fault);
            }
        }
    }

    private async Task Sync(TenantId tenant, CancellationToken cancel)
    {
        var asked = await db.Scalar<DateTimeOffset>($"select clock_timestamp()", cancel);
        // A licence that changes while AWS is asked clears the mark. If this process dies or AWS does not answer, the tenant is due again
        // in half a minute.
        var mark = asked - TimeSpan.FromMinutes(59.5);
        var payers = await db.Query<Payer>(
            $"""
            update billing.payer set contracts_at = {mark} where tenant_id = {tenant.Value}
            returning product_code, license_arn, aws_account, closed_at is not null as closed
            """,
            cancel);
        var listed = new Dictionary<ContractBlock, DateTimeOffset?>();
        foreach (var payer in payers.Where(payer => !payer.Closed && product.Value.Contracts.Count > 0))
        {
            foreach (var held in await contracts.Read(payer.ProductCode, payer.LicenseArn, payer.AwsAccount, cancel))
            {
                if (product.Value.Contracts.TryGetValue(held.Name, out var block) && await Exists(held.Name, block, cancel))
                {
                    var end = Milliseconds(held.Until);
                    listed[block] = listed.TryGetValue(block, out var until) && (until is null || until > end) ? until : end;
                }
            }
        }

        await using var transaction = await db.Database.BeginTransactionAsync(cancel);
        // In the order in which an agreement is activated: payer, account.
        var marks = await db.Query<DateTimeOffset?>(
            $"select contracts_at from billing.payer where tenant_id = {tenant.Value} order by id for no key update", cancel);
        if (marks.Exists(each => each != mark))
        {
            return;
        }

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
            else if (Milliseconds(right.EndsAt) != until)
            {
                await Change(tenant, right, until, "entitlement.extended", cancel);
            }
        }

        foreach (var right in rights.Where(each => !listed.ContainsKey(new ContractBlock(each.Block, each.Major))))
        {
            await Change(tenant, right, asked, "entitlement.ended", cancel);
        }

        await db.Execute($"update billing.payer set contracts_at = {asked} where tenant_id = {tenant.Value}", cancel);
        await transaction.CommitAsync(cancel);
    }

    private async Task<bool> Exists(string dimension, ContractBlock block, CancellationToken cancel)
    {
        var exists = await db.Scalar<bool>($"select exists (select from catalog.block where slug = {block.Block})", cancel);
        if (!exists)
        {
            Log.NoBlock(log, dimension, block.Block);
        }

        return exists;
    }

    // AWS sends seconds as a floating number: the same end differs in its last digits.
    private static DateTimeOffset? Milliseconds(DateTimeOffset? at) =>
        at is { } time
            ? DateTimeOffset.FromUnixTimeMilliseconds((long)Math.Round((time - DateTimeOffset.UnixEpoch).TotalMilliseconds)) : null;

    private async Task Grant(TenantId tenant, ContractBlock block, DateTimeOffset? until, CancellationToken cancel)
    {
        var now = await db.Scalar<DateTimeOffset>($"select now()", cancel);
        var order = new Order(
            block.Block, block.Major, PurchaseKind.Contract, null, Money.Zero, null, MemberId.None, now, until);
        await order.Write(db, tenant, cancel);
        await Audit(tenant, "entitlement.granted", order.EntitlementId, until, cancel);
    }

    private async Task Change(TenantId tenant, Row right, DateTimeOffset? until, string action, CancellationToken cancel)
    {
        // A right that was granted a moment ago does not end before it began.
        await db.Execute(
            $"""
            update purchasing.entitlement set version = version + 1,
              ends_at = case when {until}::timestamptz is not null then greatest(starts_at, {until}) end
            where tenant_id = {tenant.Value} and id = {right.Id.Value}
            """,
            cancel);
        await Audit(tenant, action, right.Id, until, cancel);
    }

    private Task Audit(TenantId tenant, string action, EntitlementId right, DateTimeOffset? until, CancellationToken cancel) =>
        new AuditLog(db).Append(tenant, "marketplace", "AWS Marketplace", null, action, $"{right}", new { until }, cancel);

    private sealed record Payer(string ProductCode, string? LicenseArn, string AwsAccount, bool Closed);

    private sealed record Row(EntitlementId Id, string Block, int Major, DateTimeOffset? EndsAt);

    private static partial class Log
    {
        [LoggerMessage(1301, LogLevel.Warning, "Contracts of tenant {Tenant} could not be read from AWS Marketplace")]
        public static partial void Failed(ILogger logger, TenantId tenant, Exception exception);

        [LoggerMessage(
            1302, LogLevel.Error,
            "Marketplace:Contracts:{Dimension} names the block {Block}, which does not exist: the contract is no right")]
        public static partial void NoBlock(ILogger logger, string dimension, string block);
    }
}
