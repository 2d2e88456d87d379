using System.Globalization;
using System.Text.Json.Nodes;
using NetAutomation.AwsSimulator.State;

namespace NetAutomation.AwsSimulator.Marketplace;

/// <summary>Writes the EventBridge envelopes of a SaaS product's life (AWS Marketplace Seller Guide: EventBridge events).</summary>
internal sealed class LifecycleEvents(SimulatorOptions options, TimeProvider clock)
{
    public string Write(Subscription subscription, string detailType)
    {
        var now = clock.GetUtcNow();
        var license = detailType is LifecycleEvent.LicenseUpdated or LifecycleEvent.LicenseDeprovisioned;
        var detail = new JsonObject
        {
            ["requestId"] = Guid.NewGuid().ToString(),
            ["acceptor"] = new JsonObject { ["accountId"] = subscription.Account },
            ["proposer"] = new JsonObject { ["accountId"] = options.ProviderAccount },
            ["offer"] = new JsonObject { ["id"] = subscription.OfferId },
        };
        if (license)
        {
            detail["license"] = new JsonObject { ["arn"] = subscription.LicenseArn };
            detail["product"] = new JsonObject { ["id"] = "prod-simulated", ["code"] = options.Marketplace.ProductCode };
            detail["agreement"] = new JsonObject { ["id"] = subscription.AgreementId };
        }
        else
        {
            detail["catalog"] = "AWSMarketplace";
            detail["resaleAuthorization"] = new JsonObject { ["id"] = null };
            detail["agreement"] = new JsonObject
            {
                ["id"] = subscription.AgreementId,
                ["intent"] = detailType == LifecycleEvent.AgreementAmended ? "AMEND" : "NEW",
                ["status"] = detailType == LifecycleEvent.AgreementEnded ? "CANCELLED" : "ACTIVE",
                ["acceptanceTime"] = Time(subscription.Created),
                ["startTime"] = Time(subscription.Created),
                ["endTime"] = detailType == LifecycleEvent.AgreementEnded
                    ? Time(now) : subscription.ExpiresAt is { } end ? Time(end) : "9999-01-01T00:00:00Z",
            };
        }
        return new JsonObject
        {
            ["version"] = "0",
            ["id"] = Guid.NewGuid().ToString(),
            ["detail-type"] = detailType,
            ["source"] = "aws.agreement-marketplace",
            ["account"] = options.ProviderAccount,
            ["time"] = Time(now),
            ["region"] = "us-east-1",
            ["resources"] = new JsonArray("arn:aws:aws-marketplace::aws:agreement:" + subscription.AgreementId),
            ["detail"] = detail,
        }.ToJsonString();
    }

    private static string Time(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);
}
