using Amazon.Runtime;

namespace Amazon.AWSMarketplaceMetering.Model;

/// <summary>Up to 25 usage records of one product (Marketplace Metering API Reference, BatchMeterUsage).</summary>
public class BatchMeterUsageRequest : AmazonWebServiceRequest
{
    public string? ProductCode { get; set; }
    public List<UsageRecord>? UsageRecords { get; set; }
}

/// <summary>The result of each record; unprocessed ones can be sent again.</summary>
public class BatchMeterUsageResponse : AmazonWebServiceResponse
{
    public List<UsageRecordResult>? Results { get; set; }
    public List<UsageRecord>? UnprocessedRecords { get; set; }
}

/// <summary>The result of one record (Marketplace Metering API Reference, UsageRecordResult).</summary>
public class UsageRecordResult
{
    public string? MeteringRecordId { get; set; }
    public UsageRecordResultStatus? Status { get; set; }
    public UsageRecord? UsageRecord { get; set; }
}
