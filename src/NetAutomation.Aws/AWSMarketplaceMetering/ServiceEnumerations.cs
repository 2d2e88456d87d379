using Amazon.Runtime;

namespace Amazon.AWSMarketplaceMetering;

/// <summary>Success, DuplicateRecord or CustomerNotSubscribed (Marketplace Metering API Reference, UsageRecordResult).</summary>
public class UsageRecordResultStatus(string value) : ConstantClass(value);
