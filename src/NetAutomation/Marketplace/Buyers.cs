using Amazon.AWSMarketplaceMetering;
using Amazon.AWSMarketplaceMetering.Model;

namespace NetAutomation.Marketplace;

/// <summary>Who subscribed.</summary>
/// <param name="LicenseArn">Null for products that are metered by product code.</param>
internal sealed record Buyer(string Account, string ProductCode, string? LicenseArn);

/// <summary>Turns the token a buyer's browser brings from Marketplace into the buyer (AWS Marketplace Metering API, ResolveCustomer).</summary>
internal sealed class Buyers(IAmazonAWSMarketplaceMetering metering)
{
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(15);

    /// <summary>Null where the token is not, or no longer, valid. The token proves who buys, not that the agreement is active.</summary>
    public async Task<Buyer?> Resolve(string token, CancellationToken cancel)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        deadline.CancelAfter(_patience);
        try
        {
            var buyer = await metering.ResolveCustomerAsync(new ResolveCustomerRequest { RegistrationToken = token }, deadline.Token);
            return buyer is { CustomerAWSAccountId: { } account, ProductCode: { } product } ? new Buyer(account, product, buyer.LicenseArn) : null;
        }
        catch (Exception fault) when (fault is InvalidTokenException or ExpiredTokenException)
        {
            return null;
        }
    }
}
