using Amazon.Runtime;
using NetAutomation.Connections;
using NetAutomation.Marketplace;
using NetAutomation.Persistence;
using NetAutomation.Tenants;

namespace NetAutomation.Registration.Browser;

/// <summary>
/// Receives the buyer's browser from Marketplace (Seller Guide, SaaS customer onboarding): resolves the token at once, makes or finds the
/// tenant, and redirects to the page with a cookie. Until the token expires, it may be used again and leads to the same tenant.
/// </summary>
internal static class RegisterBuyer
{
    public const string Path = "/marketplace/registration";
    private const string TokenField = "x-amzn-marketplace-token";
    private const int LongestToken = 8192;

    public static async Task<IResult> Handle(
        HttpContext http, SystemDb db, Buyers buyers, BuyerTenants tenants, BuyerSession session, ReconcileSignal signal,
        CancellationToken cancel)
    {
        if (await PostedForm.Read(http, cancel) is not { } form
            || form[TokenField].ToString() is not { Length: > 0 and <= LongestToken } token)
        {
            return PageHtml.Message(StatusCodes.Status400BadRequest, "No registration token", PageHtml.FromMarketplace);
        }

        (TokenState State, Buyer? Buyer) resolved;
        try
        {
            resolved = await buyers.Resolve(token, cancel);
        }
        catch (Exception fault) when (
            fault is AmazonServiceException or AmazonClientException or HttpRequestException or OperationCanceledException
                && !cancel.IsCancellationRequested)
        {
            http.Response.Headers.RetryAfter = "60";
            return PageHtml.Message(
                StatusCodes.Status503ServiceUnavailable, "AWS Marketplace does not answer now",
                "Nothing is lost. Wait a minute, go back to AWS Marketplace and choose “Set up your account” again.");
        }

        if (resolved.Buyer is not { } buyer)
        {
            var (title, text) = resolved.State switch
            {
                TokenState.Expired => (
                    "This registration has expired",
                    "Your subscription stands. Go back to AWS Marketplace, open the subscription and choose “Set up your account” again."),
                TokenState.Other => (
                    "This registration is for another product",
                    "Go back to AWS Marketplace, open the subscription of this product and choose “Set up your account” there."),
                _ => (
                    "This registration is not valid",
                    "AWS Marketplace does not know it. Go back to AWS Marketplace and choose “Set up your account” again."),
            };
            return PageHtml.Message(StatusCodes.Status400BadRequest, title, text);
        }

        await using var transaction = await db.Database.BeginTransactionAsync(cancel);
        var tenant = await tenants.FindOrOpen(buyer, cancel);
        await session.Begin(http, tenant, cancel);
        await transaction.CommitAsync(cancel);
        await tenants.CatchUp(buyer, cancel);
        signal.Nudge();
        http.Response.Headers.Location = Path;
        return Results.StatusCode(StatusCodes.Status303SeeOther);
    }
}
