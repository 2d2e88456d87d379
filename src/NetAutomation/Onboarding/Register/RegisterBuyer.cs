using Amazon.Runtime;
using NetAutomation.Marketplace;
using NetAutomation.Onboarding.Agreements;
using NetAutomation.Onboarding.Connections;
using NetAutomation.Onboarding.Tenants;
using NetAutomation.Persistence;

namespace NetAutomation.Onboarding.Register;

/// <summary>
/// Where Marketplace sends the buyer's browser (Seller Guide, SaaS customer onboarding): resolves the token at once, makes or finds the tenant,
/// and goes on to the page with a cookie of our own.
/// </summary>
internal static class RegisterBuyer
{
    public const string Path = "/marketplace/registration";
    private const string TokenField = "x-amzn-marketplace-token";
    private const int LongestToken = 8192;

    public static async Task<IResult> Handle(
        HttpContext http, SystemDb db, Buyers buyers, ApplyEvents events, RegistrationSession session, ReconcileSignal signal, CancellationToken cancel)
    {
        if (!http.Request.HasFormContentType
            || (await http.Request.ReadFormAsync(cancel))[TokenField].ToString() is not { Length: > 0 and <= LongestToken } token)
        {
            return RegistrationPage.Message(StatusCodes.Status400BadRequest, "This page is opened from AWS Marketplace with “Set up your account”.");
        }

        Buyer? buyer;
        try
        {
            buyer = await buyers.Resolve(token, cancel);
        }
        catch (Exception fault) when (fault is AmazonServiceException or OperationCanceledException && !cancel.IsCancellationRequested)
        {
            return RegistrationPage.Message(StatusCodes.Status503ServiceUnavailable, "AWS Marketplace does not answer now. Please try again from AWS Marketplace.");
        }

        if (buyer is null)
        {
            return RegistrationPage.Message(
                StatusCodes.Status400BadRequest, "This registration has expired. Go back to AWS Marketplace and choose “Set up your account” again.");
        }

        await using var transaction = await db.Database.BeginTransactionAsync(cancel);
        var tenant = await Register(db, buyer, events, cancel);
        await session.Begin(http, tenant, cancel);
        await transaction.CommitAsync(cancel);
        // What was stored while the registration was not committed yet, neither side could see.
        await using var after = await db.Database.BeginTransactionAsync(cancel);
        await events.Apply(buyer.LicenseArn, null, cancel);
        await after.CommitAsync(cancel);
        signal.Nudge();
        http.Response.Headers.Location = Path;
        return Results.StatusCode(StatusCodes.Status303SeeOther);
    }

    private static async Task<TenantId> Register(SystemDb db, Buyer buyer, ApplyEvents events, CancellationToken cancel)
    {
        // Two clicks at once are one registration.
        var name = $"register/{buyer.LicenseArn ?? $"{buyer.Account}/{buyer.ProductCode}"}";
        await db.Execute($"select pg_advisory_xact_lock(hashtextextended({name}, 0))", cancel);
        var (account, product, license) = buyer;
        var known = await db.Query<Guid>(
            $"""
            select tenant_id from onboarding.agreement
            where license_arn = {license} or ({license}::text is null and license_arn is null and account = {account} and product_code = {product} and state <> 'ended')
            """,
            cancel);
        if (known is [var tenant, ..])
        {
            await events.Apply(license, null, cancel);
            return new TenantId(tenant);
        }

        var (opened, _) = await OpenTenant.Open(db, new Subscription(account, product, license), cancel);
        await events.Apply(license, null, cancel);
        return opened;
    }
}
