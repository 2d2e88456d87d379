using Amazon.AWSMarketplaceMetering;
using Amazon.AWSMarketplaceMetering.Model;
using Microsoft.Extensions.Options;
using NetAutomation.Tunnel;

namespace NetAutomation.Marketplace;

/// <summary>Who subscribed.</summary>
/// <param name="LicenseArn">Null for products that are metered by product code.</param>
/// <param name="CustomerIdentifier">How the notices of such products name the buyer; null for others.</param>
internal sealed record Buyer(string Account, string ProductCode, string? LicenseArn, string? CustomerIdentifier = null);

/// <summary>Result of resolving a token.</summary>
internal enum TokenState
{
    Valid,
    Invalid,
    Expired,

    /// <summary>Of another product of the seller.</summary>
    Other,
}

/// <summary>
/// Turns the token a buyer's browser brings from Marketplace into the buyer (AWS Marketplace Metering API, ResolveCustomer).
/// </summary>
internal sealed class Buyers(IAmazonAWSMarketplaceMetering metering, IOptions<MarketplaceOptions> options)
{
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(15);

    /// <summary>The token proves who buys, not that the agreement is active.</summary>
    public async Task<(TokenState State, Buyer? Buyer)> Resolve(string token, CancellationToken cancel)
    {
        using var deadline = cancel.Within(_patience);
        try
        {
            var buyer = await metering.ResolveCustomerAsync(new ResolveCustomerRequest { RegistrationToken = token }, deadline.Token);
            if (buyer is not { CustomerAWSAccountId: { } account, ProductCode: { } product })
            {
                return (TokenState.Invalid, null);
            }

            // AWS resolves the token of any product of the seller.
            return options.Value.ProductCodes.Contains(product, StringComparer.Ordinal)
                ? (TokenState.Valid, new Buyer(account, product, buyer.LicenseArn, buyer.CustomerIdentifier))
                : (TokenState.Other, null);
        }
        catch (InvalidTokenException)
        {
            return (TokenState.Invalid, null);
        }
        catch (ExpiredTokenException)
        {
            return (TokenState.Expired, null);
        }
    }
}
