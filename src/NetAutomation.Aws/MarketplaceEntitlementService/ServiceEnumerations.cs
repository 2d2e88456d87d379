using Amazon.Runtime;

namespace Amazon.MarketplaceEntitlementService;

/// <summary>Key of an entitlement filter (Marketplace Entitlement API Reference, GetEntitlements).</summary>
public class GetEntitlementFilterName(string value) : ConstantClass(value)
{
    public static readonly GetEntitlementFilterName CUSTOMER_IDENTIFIER = new("CUSTOMER_IDENTIFIER");
    public static readonly GetEntitlementFilterName DIMENSION = new("DIMENSION");
    public static readonly GetEntitlementFilterName CUSTOMER_AWS_ACCOUNT_ID = new("CUSTOMER_AWS_ACCOUNT_ID");
    public static readonly GetEntitlementFilterName LICENSE_ARN = new("LICENSE_ARN");

    public static GetEntitlementFilterName FindValue(string value) => FindValue<GetEntitlementFilterName>(value);

    public static implicit operator GetEntitlementFilterName(string value) => FindValue(value);
}
