using Microsoft.Extensions.Options;
using NetAutomation.Marketplace;
using NetAutomation.Persistence;

namespace NetAutomation.Tenants.Agreements;

/// <summary>
/// Asks AWS for the contracts of agreements that wait for their confirmation, and of agreements that a contract confirmed: for a product
/// without concurrent agreements, AWS announces the beginning of a contract in no other way, and its end not at all. AWS may list a
/// contract again after its end. Each answer is stored as one more event.
/// </summary>
internal sealed partial class ConfirmContracts(
    SystemDb db, NetAutomation.Marketplace.Contracts contracts, ApplyEvents events, IOptions<MarketplaceOptions> product,
    ILogger<ConfirmContracts> log)
{
    private const int EmptyAnswers = 3;
    private static readonly TimeSpan _emptyFor = TimeSpan.FromMinutes(3);

    public async Task Run(CancellationToken cancel)
    {
        // Without contracts in the configuration, nothing is sold by contract.
        if (product.Value.Contracts.Count == 0)
        {
            return;
        }

        // The longer an agreement has waited, the more rarely AWS is asked.
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
                Log.Failed(log, each.Id, fault);
            }
        }
    }

    private async Task Ask(Row agreement, CancellationToken cancel)
    {
        var listed = (await contracts.Read(agreement.ProductCode, agreement.LicenseArn, agreement.Account, cancel)).Count > 0;
        // A single empty answer may be a fault of AWS. Several in a row mean the end.
        var empty = !listed && agreement.State == AgreementFold.Active;
        var unlisted = await db.Scalar<bool>(
            $"""
            update onboarding.agreement set unlisted = case when {empty} then unlisted + 1 else 0 end,
              unlisted_since = case when {empty} then coalesce(unlisted_since, {agreement.AskedAt}) end
            where id = {agreement.Id.Value}
            returning unlisted >= {EmptyAnswers} and unlisted_since <= {agreement.AskedAt} - {_emptyFor}
            """,
            cancel);
        if (listed == (agreement.State == AgreementFold.Active) || (empty && !unlisted))
        {
            return;
        }

        var answer = new LifecycleEvent(
            $"{agreement.Id}/{agreement.AskedAt:O}", listed ? LifecycleEvent.Listed : LifecycleEvent.NotListed,
            agreement.AskedAt.ToUniversalTime(), "{}")
        {
            LicenseArn = agreement.LicenseArn, ProductCode = agreement.ProductCode, Account = agreement.Account,
            CustomerIdentifier = agreement.CustomerIdentifier,
        };
        await events.Store(answer, cancel);
        await using var transaction = await db.Database.BeginTransactionAsync(cancel);
        await events.Apply(answer.Id, cancel);
        // A newer event keeps asked_at empty, so that AWS is asked again.
        await db.Execute(
            $"""
            update onboarding.agreement set asked_at = {answer.At}
            where id = {agreement.Id.Value} and asked_at is null and last_event_at = {answer.At}
            """,
            cancel);
        await transaction.CommitAsync(cancel);
    }

    private sealed record Row(
        AgreementId Id, string State, string Account, string? CustomerIdentifier, string? LicenseArn, string ProductCode,
        DateTimeOffset AskedAt);

    private static partial class Log
    {
        [LoggerMessage(307, LogLevel.Warning, "The contract of {Agreement} could not be read from AWS Marketplace")]
        public static partial void Failed(ILogger logger, AgreementId agreement, Exception exception);
    }
}
