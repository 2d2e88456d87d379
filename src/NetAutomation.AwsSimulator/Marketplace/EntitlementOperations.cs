using System.Text.Json.Nodes;
using NetAutomation.AwsSimulator.Wire;

namespace NetAutomation.AwsSimulator.Marketplace;

/// <summary>AWS Marketplace Entitlement Service.</summary>
internal sealed class EntitlementOperations(State.Marketplace marketplace, SimulatorOptions options)
{
    public Dictionary<string, JsonOperation> Operations => new(StringComparer.Ordinal)
    {
        ["AWSMPEntitlementService.GetEntitlements"] = (call, body) => Task.FromResult(Get(call, body)),
    };

    private object Get(AwsCall call, JsonObject body)
    {
        var product = JsonFields.Required(body, "ProductCode");
        var legacy = marketplace.Product.LegacyProducts.Contains(product, StringComparer.Ordinal);
        if ((product != marketplace.Product.ProductCode && !legacy) || call.Account != options.ProviderAccount)
        {
            throw new AwsException("InvalidParameterException", "The product code is invalid.");
        }
        var filter = body["Filter"] as JsonObject ?? [];
        if (filter.ContainsKey("CUSTOMER_IDENTIFIER") && (!legacy || filter.ContainsKey("CUSTOMER_AWS_ACCOUNT_ID")))
        {
            throw new AwsException("InvalidParameterException", legacy
                ? "CUSTOMER_IDENTIFIER and CUSTOMER_AWS_ACCOUNT_ID are mutually exclusive."
                : "The product identifies customers by CUSTOMER_AWS_ACCOUNT_ID and LICENSE_ARN.");
        }
        var size = JsonFields.Integer(body, "MaxResults") ?? 25;
        if (size is < 1 or > 25)
        {
            throw new AwsException("InvalidParameterException", "MaxResults must be between 1 and 25.");
        }
        var rows = marketplace.Subscriptions().Where(s => s.State == "active" && s.ProductCode == product)
            .SelectMany(s => s.Entitlements.Select(e => (Subscription: s, Dimension: e.Key, e.Value)))
            .Select((row, i) => (row.Subscription, row.Dimension, row.Value, Position: (long)i))
            .Where(row => Passes(filter, "CUSTOMER_AWS_ACCOUNT_ID", row.Subscription.Account)
                && Passes(filter, "CUSTOMER_IDENTIFIER", row.Subscription.CustomerIdentifier)
                && Passes(filter, "DIMENSION", row.Dimension) && Passes(filter, "LICENSE_ARN", row.Subscription.LicenseArn));
        var (items, next) = Page.Cut(rows, row => row.Position, (int)size, JsonFields.Text(body, "NextToken"), "InvalidParameterException");
        return new
        {
            Entitlements = items.Select(row => new
            {
                row.Subscription.ProductCode,
                row.Dimension,
                CustomerAWSAccountId = row.Subscription.Account,
                row.Subscription.LicenseArn,
                row.Subscription.CustomerIdentifier,
                ExpirationDate = row.Subscription.ExpiresAt?.ToUnixTimeMilliseconds() / 1000.0,
                Value = new { IntegerValue = row.Value },
            }),
            NextToken = next,
        };
    }

    private static bool Passes(JsonObject filter, string key, string? value) =>
        filter[key] is not JsonArray values || values.Any(v => v is JsonValue text && text.TryGetValue(out string? s) && s == value);
}
