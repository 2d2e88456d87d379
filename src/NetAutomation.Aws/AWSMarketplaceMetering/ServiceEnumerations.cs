using Amazon.Runtime;

namespace Amazon.AWSMarketplaceMetering;

/// <summary>What became of one usage record (Marketplace Metering API Reference, UsageRecordResult).</summary>
public class UsageRecordResultStatus(string value) : ConstantClass(value)
{
    public static readonly UsageRecordResultStatus Success = new("Success");
    public static readonly UsageRecordResultStatus CustomerNotSubscribed = new("CustomerNotSubscribed");
    public static readonly UsageRecordResultStatus DuplicateRecord = new("DuplicateRecord");

    public static UsageRecordResultStatus FindValue(string value) => FindValue<UsageRecordResultStatus>(value);

    public static implicit operator UsageRecordResultStatus(string value) => FindValue(value);
}
