using Microsoft.Extensions.Options;
using NetAutomation.Access;
using NetAutomation.Connections;
using NetAutomation.Connectors;
using NetAutomation.Persistence;
using NetAutomation.Tenants;
using NetAutomation.Web;

namespace NetAutomation.Registration.Browser;

/// <summary>How a registration stands, for the page's script.</summary>
/// <param name="Step">The step to do next.</param>
internal sealed record RegistrationStatus(string State, string Step, IReadOnlyList<RegistrationProgress.Connection> Connections);

/// <summary>Leads the buyer from the subscription to the first run.</summary>
internal static class RegistrationPage
{
    public static async Task<IResult> Show(
        HttpContext http, SystemDb db, BuyerSession session, IOptions<ConnectionsOptions> options, ServerCertificate certificate,
        ConnectorReleases releases, CancellationToken cancel)
    {
        if (await session.Tenant(http, cancel) is not { } tenant)
        {
            return PageHtml.Message(StatusCodes.Status200OK, "Registration", PageHtml.FromMarketplace);
        }

        var progress = await RegistrationProgress.Read(db, tenant, cancel);
        return PageHtml.Page(StatusCodes.Status200OK, Guide.Html(tenant, progress, Facts(options, certificate, releases)), progress.Step);
    }

    public static async Task<IResult> Status(HttpContext http, SystemDb db, BuyerSession session, CancellationToken cancel)
    {
        http.Response.Headers.CacheControl = "no-store";
        if (await session.Tenant(http, cancel) is not { } tenant)
        {
            return Results.StatusCode(StatusCodes.Status401Unauthorized);
        }

        var progress = await RegistrationProgress.Read(db, tenant, cancel);
        return Results.Json(new RegistrationStatus(progress.State, progress.Step, progress.Connections));
    }

    /// <summary>Issues the tenant's first key and shows it this once.</summary>
    public static async Task<IResult> IssueFirstKey(
        HttpContext http, SystemDb db, BuyerSession session, IOptions<ConnectionsOptions> options, ServerCertificate certificate,
        ConnectorReleases releases, CancellationToken cancel)
    {
        await using var transaction = await db.Database.BeginTransactionAsync(cancel);
        if (await session.Tenant(http, cancel) is not { } tenant)
        {
            return NoSession();
        }

        await db.Execute($"select from onboarding.tenant where tenant_id = {tenant.Value} for update", cancel);
        var progress = await RegistrationProgress.Read(db, tenant, cancel);
        if (!progress.IsConnected || progress.State != "active")
        {
            return PageHtml.Message(StatusCodes.Status409Conflict, "Not yet", "The first key is issued once an endpoint is connected.");
        }

        if (progress.HasKey)
        {
            return PageHtml.Message(
                StatusCodes.Status409Conflict, "The first key was issued before",
                "Who holds it can issue more; if it is lost, ask us for another.");
        }

        var admin = await Members.Add(db, tenant, "first admin", MemberRole.Admin, ("registration", "buyer"), cancel)
            ?? throw new InvalidOperationException("A tenant without a key has a member.");
        var key = await ApiKeys.Issue(db, tenant, admin, "first key", cancel);
        await new AuditLog(db).Append(
            tenant, "registration", "buyer", null, "api_key.created", $"{key.Id}", new { key.MemberId, key.Member, key.Prefix }, cancel);
        await transaction.CommitAsync(cancel);
        return PageHtml.Page(StatusCodes.Status200OK, Guide.Key(key.Secret, progress, Facts(options, certificate, releases)));
    }

    /// <summary>Claims another AWS account; a customer without an endpoint cannot use the API for it.</summary>
    public static Task<IResult> ClaimAccount(
        HttpContext http, NetAutomationDb db, BuyerSession session, LimitReached limits, CancellationToken cancel) =>
        Post(
            http, session,
            async (buyer, form) =>
            {
                await using var transaction = await db.Begin(buyer.Tenant, cancel);
                try
                {
                    var claim = await AccountChallenges.Claim(db, buyer, form["account"].ToString().Trim(), cancel);
                    if (claim.Problem is null)
                    {
                        await transaction.CommitAsync(cancel);
                    }

                    return claim.Problem;
                }
                catch (Exception fault) when (limits.Of(fault) is { } full)
                {
                    return full;
                }
            },
            cancel);

    public static Task<IResult> ProveClaim(HttpContext http, ProveAccount prove, BuyerSession session, CancellationToken cancel) => Post(
        http, session,
        (buyer, form) => prove.Prove(buyer, form["account"].ToString().Trim(), form["url"].ToString().Trim(), cancel),
        cancel);

    /// <summary>A change of the tenant's AWS accounts; then the browser goes back to the page.</summary>
    private static async Task<IResult> Post(
        HttpContext http, BuyerSession session, Func<Claimant, IFormCollection, Task<Problem?>> change, CancellationToken cancel)
    {
        if (await session.Tenant(http, cancel) is not { } tenant || await PostedForm.Read(http, cancel) is not { } form)
        {
            return NoSession();
        }

        var problem = await session.MayClaim(tenant, cancel)
            ? await change(new Claimant(tenant, "registration", "buyer", null), form) : Web.Problems.TenantSuspended.With();
        if (problem is not null)
        {
            return PageHtml.Message(
                problem.Type.Status, problem.Type.Title,
                $"{(problem.Errors is [var first, ..] ? first.Detail : problem.Detail)} Go back and try again.".Trim());
        }

        http.Response.Headers.Location = RegisterBuyer.Path;
        return Results.StatusCode(StatusCodes.Status303SeeOther);
    }

    private static GuideFacts Facts(IOptions<ConnectionsOptions> options, ServerCertificate certificate, ConnectorReleases releases) =>
        new(options.Value.ServiceName, options.Value.Region, certificate.ServerName, certificate.CaPem, options.Value.PrivateDns,
            releases.Newest?.ToString(3));

    private static IResult NoSession() => PageHtml.Message(StatusCodes.Status400BadRequest, "Registration", PageHtml.FromMarketplace);
}
