using NetAutomation.Aws.Wire;

namespace Amazon.AWSMarketplaceMetering;

/// <summary>Configuration of <see cref="AmazonAWSMarketplaceMeteringClient"/>: Region or service URL, time limits, retries.</summary>
public class AmazonAWSMarketplaceMeteringConfig()
    : ServiceConfig("Marketplace Metering", "metering.marketplace", "aws-marketplace", "2016-01-14");
