namespace Amazon.AWSMarketplaceMetering.Model;

/// <summary>Usage of one dimension in one hour by one customer (Marketplace Metering API Reference, UsageRecord).</summary>
public class UsageRecord
{
    public string? CustomerAWSAccountId { get; set; }
    public string? Dimension { get; set; }
    public string? LicenseArn { get; set; }
    public int? Quantity { get; set; }
    public DateTime? Timestamp { get; set; }
    public List<UsageAllocation>? UsageAllocations { get; set; }
}

/// <summary>A tagged part of a quantity (Marketplace Metering API Reference, UsageAllocation).</summary>
public class UsageAllocation
{
    public int? AllocatedUsageQuantity { get; set; }
    public List<Tag>? Tags { get; set; }
}

/// <summary>A tag (Marketplace Metering API Reference, Tag).</summary>
public class Tag
{
    public string? Key { get; set; }
    public string? Value { get; set; }
}
