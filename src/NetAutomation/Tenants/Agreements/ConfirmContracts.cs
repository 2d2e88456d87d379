using Microsoft.Extensions.Options;
using NetAutomation.Marketplace;
using NetAutomation.Persistence;

namespace NetAutomation.Tenants.Agreements;

/// <summary>
/// Asks AWS for the contracts of agreements that wait for their confirmation, and of those that one confirmed: a contract of a product
/// without concurrent agreements sends no other notice of its beginning and none of its end. One that ended
/// may be listed again. What AWS answers is stored as one more event.
/// </summary>
internal sealed partial class ConfirmContracts(
    SystemDb db, NetAutomation.Marketplace.Contracts contracts, ApplyEvents events, IOptions<MarketplaceOptions> product,
    TenantDirectory directory,
    ILogger<ConfirmContracts> log)
{
    private const int EmptyAnswers = 3;
    private static readonly TimeSpan _emptyFor = TimeSpan.FromMinutes(3);

    public async Task Run(CancellationToken cancel)
    {
        // Otherwise nothing is sold by contract.
        if (product.Value.Contracts.Count == 0)
        {
            return;
        }

        // Who has waited long is asked about more rarely.
        var due = await db.Query<Row>(
            $"""
            update onboarding.agreement set asked_at = now()
            where retired_at is null and (
              (state = 'pending' and (asked_at is null or asked_at < now() - greatest(interval '1 minute', (now() - created_at) / 10)))
              or (state in ('active', 'ended') and by_contract
                  and (asked_at is null or asked_at < now() - case when unlisted > 0 then interval '2 minutes' else interval '1 hour' end)))
            returning id, state, account, customer_identifier, license_arn, product_code, asked_at
            """,
            cancel);
        foreach (var each in due)
        {
            try
            {
                await Ask(each, cancel);
            }
            catch (Exception fault) when (!cancel.IsCancellationRequested)
            {
                Log.Failed(log, new AgreementId(each.Id), fault);
            }
        }
    }

    private async Task Ask(Row agreement, CancellationToken cancel)
    {
        var listed = (await contracts.Read(agreement.ProductCode, agreement.LicenseArn, agreement.Account, cancel)).Count > 0;
        // One empty answer may be a fault of AWS; one that lasts is the end.
        var empty = !listed && agreement.State == AgreementFold.Active;
        var unlisted = await db.Scalar<bool>(
            $"""
            update onboarding.agreement set unlisted = case when {empty} then unlisted + 1 else 0 end,
              unlisted_since = case when {empty} then coalesce(unlisted_since, {agreement.AskedAt}) end
            where id = {agreement.Id}
            returning unlisted >= {EmptyAnswers} and unlisted_since <= {agreement.AskedAt} - {_emptyFor} as "Value"
            """,
            cancel);
        if (listed == (agreement.State == AgreementFold.Active) || (empty && !unlisted))
        {
            return;
        }

        var heard = new LifecycleEvent(
            $"{new AgreementId(agreement.Id)}/{agreement.AskedAt:O}", listed ? LifecycleEvent.Listed : LifecycleEvent.NotListed,
            agreement.AskedAt.ToUniversalTime(), "{}")
        {
            LicenseArn = agreement.LicenseArn, ProductCode = agreement.ProductCode, Account = agreement.Account,
            CustomerIdentifier = agreement.CustomerIdentifier,
        };
        await events.Store(heard, cancel);
        await using var transaction = await db.Database.BeginTransactionAsync(cancel);
        await events.Apply(heard.Id, cancel);
        // Unless something newer says that it changed.
        await db.Execute($"update onboarding.agreement set asked_at = {heard.At} where id = {agreement.Id} and asked_at is null and last_event_at = {heard.At}", cancel);
        await transaction.CommitAsync(cancel);
        directory.Forget();
    }

    private sealed record Row(
        Guid Id, string State, string Account, string? CustomerIdentifier, string? LicenseArn, string ProductCode, DateTimeOffset AskedAt);

    private static partial class Log
    {
        [LoggerMessage(307, LogLevel.Warning, "The contract of {Agreement} could not be read from AWS Marketplace")]
        public static partial void Failed(ILogger logger, AgreementId agreement, Exception exception);
    }
}
