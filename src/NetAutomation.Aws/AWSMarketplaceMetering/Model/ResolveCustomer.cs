using Amazon.Runtime;

namespace Amazon.AWSMarketplaceMetering.Model;

/// <summary>The registration token of a buyer (Marketplace Metering API Reference, ResolveCustomer).</summary>
public class ResolveCustomerRequest : AmazonWebServiceRequest
{
    public string? RegistrationToken { get; set; }
}

/// <summary>The buyer and product behind the token.</summary>
public class ResolveCustomerResponse : AmazonWebServiceResponse
{
    public string? CustomerAWSAccountId { get; set; }
    public string? CustomerIdentifier { get; set; }
    public string? LicenseArn { get; set; }
    public string? ProductCode { get; set; }
}
