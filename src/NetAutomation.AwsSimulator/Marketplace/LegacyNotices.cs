using System.Text.Json.Nodes;
using NetAutomation.AwsSimulator.State;

namespace NetAutomation.AwsSimulator.Marketplace;

/// <summary>
/// Writes the notices of products without concurrent agreements (AWS Marketplace Seller Guide: SNS notifications for SaaS products).
/// They carry neither the account nor a licence.
/// </summary>
internal sealed class LegacyNotices(TimeProvider clock)
{
    private const string Subscription = "subscription";
    private const string Entitlement = "entitlement";

    /// <summary>Null where AWS sends no notice of the change.</summary>
    public string? Write(Subscription subscription, string detailType, NoticeForm form)
    {
        var (topic, action) = detailType switch
        {
            LifecycleEvent.LicenseUpdated => (Subscription, "subscribe-success"),
            LifecycleEvent.SubscribeFailed => (Subscription, "subscribe-fail"),
            LifecycleEvent.AgreementEnded => (Subscription, "unsubscribe-pending"),
            LifecycleEvent.LicenseDeprovisioned => (Subscription, "unsubscribe-success"),
            LifecycleEvent.AgreementAmended => (Entitlement, "entitlement-updated"),
            _ => ("", ""),
        };
        if (action.Length == 0)
        {
            return null;
        }
        var names = form.PascalCase
            ? new[] { "Action", "CustomerIdentifier", "ProductCode", "OfferIdentifier" }
                : ["action", "customer-identifier", "product-code", "offer-identifier"];
        var notice =
            new JsonObject { [names[0]] = action, [names[1]] = subscription.CustomerIdentifier, [names[2]] = subscription.ProductCode };
        if (topic == Subscription)
        {
            notice[names[3]] = subscription.OfferId;
            notice["isFreeTrialTermPresent"] = "false";
        }
        return form.Raw ? notice.ToJsonString()
            : SnsEnvelope.Write(
                $"arn:aws:sns:us-east-1:287250355862:aws-mp-{topic}-notification-{subscription.ProductCode}", notice.ToJsonString(), clock);
    }
}
