namespace NetAutomation.Aws.Wire;

/// <summary>A service of the AWS JSON 1.0 or 1.1 protocol: its target prefix and whether it came from the query protocol.</summary>
internal sealed record JsonDialect(string ServiceName, string TargetPrefix, string ContentType, bool QueryCompatible)
{
    public static JsonDialect Sqs { get; } = new("Amazon.SQS", "AmazonSQS", "application/x-amz-json-1.0", QueryCompatible: true);

    public static JsonDialect Metering { get; } =
        new("Amazon.AWSMarketplaceMetering", "AWSMPMeteringService", "application/x-amz-json-1.1", QueryCompatible: false);

    public static JsonDialect Entitlement { get; } =
        new("Amazon.MarketplaceEntitlementService", "AWSMPEntitlementService", "application/x-amz-json-1.1", QueryCompatible: false);
}
