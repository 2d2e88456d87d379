using Amazon.Runtime;

namespace Amazon.MarketplaceEntitlementService.Model;

/// <summary>Which entitlements of which product (Marketplace Entitlement API Reference, GetEntitlements).</summary>
public class GetEntitlementsRequest : AmazonWebServiceRequest
{
    public Dictionary<string, List<string>>? Filter { get; set; }
    public int? MaxResults { get; set; }
    public string? NextToken { get; set; }
    public string? ProductCode { get; set; }
}

/// <summary>One page of entitlements.</summary>
public class GetEntitlementsResponse : AmazonWebServiceResponse
{
    public List<Entitlement>? Entitlements { get; set; }
    public string? NextToken { get; set; }
}

/// <summary>What a customer may use (Marketplace Entitlement API Reference, Entitlement).</summary>
public class Entitlement
{
    public string? Dimension { get; set; }
    public DateTime? ExpirationDate { get; set; }
    public EntitlementValue? Value { get; set; }
}

/// <summary>The amount, in the one member that is set (Marketplace Entitlement API Reference, EntitlementValue).</summary>
public class EntitlementValue
{
    public bool? BooleanValue { get; set; }
    public double? DoubleValue { get; set; }
    public int? IntegerValue { get; set; }
    public string? StringValue { get; set; }
}
