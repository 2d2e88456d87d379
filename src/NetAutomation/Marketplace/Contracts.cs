using Amazon.MarketplaceEntitlementService;
using Amazon.MarketplaceEntitlementService.Model;
using NetAutomation.Tunnel;

namespace NetAutomation.Marketplace;

/// <summary>A dimension a customer holds by contract.</summary>
/// <param name="Until">Null: until AWS no longer lists it.</param>
internal sealed record ContractDimension(string Name, DateTimeOffset? Until);

/// <summary>Contracts of customers (AWS Marketplace Entitlement API, GetEntitlements).</summary>
internal sealed class Contracts(IAmazonMarketplaceEntitlementService entitlements, TimeProvider clock)
{
    private const int MostPages = 100;
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(30);

    /// <summary>Every dimension in force; each once, with its latest end.</summary>
    /// <param name="licenseArn">Null for products that know customers by account alone.</param>
    public async Task<IReadOnlyList<ContractDimension>> Read(
        string productCode, string? licenseArn, string account, CancellationToken cancel)
    {
        using var deadline = cancel.Within(_patience);
        var request = new GetEntitlementsRequest
        {
            ProductCode = productCode,
            Filter = licenseArn is null ? new() { ["CUSTOMER_AWS_ACCOUNT_ID"] = [account] } : new() { ["LICENSE_ARN"] = [licenseArn] },
            MaxResults = 25,
        };
        var found = new List<ContractDimension>();
        // A page may be empty and still have a next one.
        for (var page = 0; page < MostPages; page++)
        {
            var answer = await entitlements.GetEntitlementsAsync(request, deadline.Token);
            found.AddRange(
                (answer.Entitlements ?? []).Where(IsHeld)
                    .Select(each => new ContractDimension(each.Dimension!, Instant(each.ExpirationDate))));
            if (answer.NextToken is not { Length: > 0 } next)
            {
                return [
                    .. found.Where(each => each.Until is not { } until || until > clock.GetUtcNow())
                        .GroupBy(each => each.Name, StringComparer.Ordinal)
                    .Select(same => same.FirstOrDefault(each => each.Until is null) ?? same.MaxBy(each => each.Until)!)];
            }

            request.NextToken = next;
        }

        throw new InvalidOperationException("The entitlements of one customer do not end after 100 pages.");
    }

    private static bool IsHeld(Entitlement each) =>
        each is { Dimension: not null, Value: { } value }
            && (value.IntegerValue > 0 || value.DoubleValue > 0 || value.BooleanValue == true || value.StringValue is { Length: > 0 });

    private static DateTimeOffset? Instant(DateTime? at) => at is { } time
        ? new DateTimeOffset(time.ToUniversalTime(), TimeSpan.Zero) : null;
}
