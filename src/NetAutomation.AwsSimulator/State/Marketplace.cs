using System.Security.Cryptography;
using NetAutomation.AwsSimulator.Wire;

namespace NetAutomation.AwsSimulator.State;

/// <summary>Agreements, licences and their metered usage.</summary>
internal sealed class Marketplace(SimulatorOptions options, TimeProvider clock)
{
    private readonly Lock _gate = new();
    private readonly List<Subscription> _subscriptions = [];
    private readonly Dictionary<(string Account, string Key, string Dimension, DateTimeOffset Hour), MeteringRecord> _records = [];
    private readonly List<MeteringRecord> _inOrder = [];

    /// <summary>Called at every change with the event AWS sends for it, and the form of a notice.</summary>
    public Action<Subscription, string, NoticeForm> Changed { get; set; } = (_, _, _) => { };

    public MarketplaceOptions Product => options.Marketplace;

    public MeteringFaults Faults { get; } = new(options.Marketplace);

    public IReadOnlyList<Subscription> Subscriptions()
    {
        lock (_gate)
        {
            return [.. _subscriptions];
        }
    }

    public IReadOnlyList<MeteringRecord> Metered()
    {
        lock (_gate)
        {
            return [.. _inOrder];
        }
    }

    public Subscription Subscribe(
        string account, string? productCode, IReadOnlyDictionary<string, int> entitlements, DateTimeOffset? expiresAt)
    {
        var product = productCode ?? Product.ProductCode;
        var legacy = Product.LegacyProducts.Contains(product, StringComparer.Ordinal);
        if (!legacy && product != Product.ProductCode)
        {
            throw new AwsException("InvalidRequest", $"There is no product '{product}'.");
        }
        var subscription = new Subscription
        {
            Account = account,
            AgreementId = "agmt-" + NewId(25),
            OfferId = "offer-" + NewId(13),
            ProductCode = product,
            LicenseArn = legacy ? null : "arn:aws:license-manager::294406891311:license:l-" + NewId(32),
            RegistrationToken = Convert.ToBase64String(RandomNumberGenerator.GetBytes(96)),
            Created = clock.GetUtcNow(),
            Entitlements = entitlements,
            ExpiresAt = expiresAt,
            CustomerIdentifier = legacy
                ? RandomNumberGenerator.GetString("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", 11) : null,
        };
        lock (_gate)
        {
            _subscriptions.Add(subscription);
        }
        Changed(subscription, LifecycleEvent.AgreementCreated, new NoticeForm());
        return subscription;
    }

    /// <summary>The buyer or AWS changes what the agreement grants.</summary>
    public Subscription Amend(string agreementId, IReadOnlyDictionary<string, int> entitlements, DateTimeOffset? expiresAt, NoticeForm form)
    {
        var subscription = Find(agreementId);
        lock (_gate)
        {
            (subscription.Entitlements, subscription.ExpiresAt) = (entitlements, expiresAt);
        }
        Changed(subscription, LifecycleEvent.AgreementAmended, form);
        if (subscription.LicenseArn is not null)
        {
            Changed(subscription, LifecycleEvent.LicenseUpdated, form);
        }
        return subscription;
    }

    /// <summary>
    /// Moves the subscription on and sends the event; a repeated step sends its event again, as at-least-once delivery does.
    /// </summary>
    public Subscription Move(string agreementId, string state, string detailType, NoticeForm form)
    {
        var subscription = Find(agreementId);
        lock (_gate)
        {
            subscription.State = state;
        }
        Changed(subscription, detailType, form);
        return subscription;
    }

    public Subscription Resolve(string token)
    {
        var found = Subscriptions().FirstOrDefault(s => s.RegistrationToken == token)
            ?? throw new AwsException("InvalidTokenException", "Registration token is invalid.");
        return clock.GetUtcNow() - found.Created <= TimeSpan.FromHours(Product.TokenHours) ? found
            : throw new AwsException("ExpiredTokenException", "The submitted registration token has expired.");
    }

    /// <summary>
    /// The first record of an hour is final; an identical one is answered with the first one's id, another quantity is a duplicate.
    /// </summary>
    public (string Status, string? RecordId) Meter(MeteringRecord record)
    {
        lock (_gate)
        {
            if (!_subscriptions.Exists(
                s => s.Meterable && s.Account == record.Account && s.ProductCode == record.ProductCode
                    && s.LicenseArn == record.LicenseArn))
            {
                return ("CustomerNotSubscribed", null);
            }
            var key = (record.Account, record.LicenseArn ?? record.ProductCode, record.Dimension, record.Hour);
            if (_records.TryGetValue(key, out var first))
            {
                return (
                    first.Quantity == record.Quantity && !Product.IdenticalIsDuplicate ? "Success" : "DuplicateRecord",
                    first.MeteringRecordId);
            }
            _records[key] = record;
            _inOrder.Add(record);
            return ("Success", record.MeteringRecordId);
        }
    }

    private Subscription Find(string agreementId)
    {
        lock (_gate)
        {
            return _subscriptions.Find(s => s.AgreementId == agreementId)
                ?? throw new AwsException("NotFound", $"There is no subscription '{agreementId}'.", 404);
        }
    }

    private static string NewId(int length) => RandomNumberGenerator.GetString("abcdefghijklmnopqrstuvwxyz0123456789", length);
}

/// <summary>EventBridge detail-types of source aws.agreement-marketplace.</summary>
internal static class LifecycleEvent
{
    public const string AgreementCreated = "Purchase Agreement Created - Proposer";
    public const string AgreementAmended = "Purchase Agreement Amended - Proposer";
    public const string AgreementEnded = "Purchase Agreement Ended - Proposer";
    public const string LicenseUpdated = "License Updated - Manufacturer";
    public const string LicenseDeprovisioned = "License Deprovisioned - Manufacturer";

    /// <summary>Of products without concurrent agreements only; EventBridge has no such event.</summary>
    public const string SubscribeFailed = "Subscribe Failed";
}

/// <summary>How a notice of a product without concurrent agreements is written.</summary>
/// <param name="Raw">Without the envelope of SNS.</param>
/// <param name="PascalCase">With the member names of older documentation.</param>
internal sealed record NoticeForm(bool Raw = false, bool PascalCase = false);
