using System.Globalization;
using System.Net;
using System.Text;
using Microsoft.Extensions.Options;
using NetAutomation.Persistence;

namespace NetAutomation.Onboarding.Register;

/// <summary>Tells the buyer where the registration stands and what to do next. Plain HTML that loads nothing.</summary>
internal static class RegistrationPage
{
    private const string AskMarketplace = "This page is opened from AWS Marketplace with “Set up your account”.";

    public static async Task<IResult> Show(
        HttpContext http, SystemDb db, RegistrationSession session, IOptions<OnboardingOptions> options, CancellationToken cancel)
    {
        if (await session.Tenant(http, cancel) is not { } tenant)
        {
            return Message(StatusCodes.Status200OK, AskMarketplace);
        }

        var standing = await Standing.Read(db, tenant, cancel);
        var body = new StringBuilder();
        body.Append(CultureInfo.InvariantCulture, $"<p>Tenant <code id=\"tenant\">{tenant}</code>: <b id=\"state\">{Text(standing.State)}</b></p>");
        if (standing.State == "pending")
        {
            body.Append("<p>Waiting for AWS Marketplace to confirm the subscription. This takes a minute or two.</p>");
        }
        else if (!standing.MayConnect)
        {
            body.Append("<p>Preparing access for your AWS account.</p>");
        }
        else
        {
            AppendConnect(body, options.Value.ServiceName, standing);
        }

        return Page(StatusCodes.Status200OK, body.ToString(), refresh: !standing.IsConnected);
    }

    /// <summary>Issues the tenant's first key and shows it this once.</summary>
    public static async Task<IResult> IssueFirstKey(
        HttpContext http, SystemDb db, RegistrationSession session, CancellationToken cancel)
    {
        await using var transaction = await db.Database.BeginTransactionAsync(cancel);
        if (await session.Tenant(http, cancel) is not { } tenant)
        {
            return Message(StatusCodes.Status400BadRequest, AskMarketplace);
        }

        await db.Execute($"select from onboarding.tenant where tenant_id = {tenant.Value} for update", cancel);
        var standing = await Standing.Read(db, tenant, cancel);
        if (!standing.IsConnected || standing.State != "active")
        {
            return Message(StatusCodes.Status409Conflict, "The first key is issued once an endpoint is connected.");
        }

        if (standing.HasKey)
        {
            return Message(StatusCodes.Status409Conflict, "The first key was issued before. Who holds it can issue more; if it is lost, ask us for another.");
        }

        var key = await ApiKeys.Issue(db, tenant, "first key", "registration", MemberRole.Admin, cancel);
        await new Platform.AuditLog(db).Append(tenant, "registration", "buyer", null, "api_key.created", $"{key.Id}", new { key.Prefix }, cancel);
        await transaction.CommitAsync(cancel);
        return Page(
            StatusCodes.Status200OK,
            $"<p>Your first API key, with the role admin. It is shown this once:</p><pre id=\"api-key\">{key.Secret}</pre><p>Use it through your endpoint.</p>",
            refresh: false);
    }

    public static IResult Message(int status, string text) => Page(status, $"<p>{Text(text)}</p>", refresh: false);

    private static void AppendConnect(StringBuilder body, string service, Standing standing)
    {
        var name = Text(service);
        body.Append(CultureInfo.InvariantCulture, $"<p>Endpoint service: <code id=\"service-name\">{name}</code></p>");
        body.Append(CultureInfo.InvariantCulture, $"<p>AWS accounts that may connect: <code>{Text(string.Join(", ", standing.Accounts))}</code></p>");
        body.Append("<p>Create an interface endpoint in your VPC, with a security group that lets your hosts reach TCP 8443 and 8444:</p>");
        body.Append(
            CultureInfo.InvariantCulture,
            $"<pre>aws ec2 create-vpc-endpoint --vpc-endpoint-type Interface \\\n  --service-name {name} \\\n  --vpc-id vpc-… --subnet-ids subnet-… --security-group-ids sg-…</pre>");
        body.Append("<table><tr><th>Endpoint</th><th>Account</th><th>State</th><th>Reason</th></tr>");
        foreach (var each in standing.Connections)
        {
            body.Append(
                CultureInfo.InvariantCulture,
                $"<tr><td><code>{Text(each.EndpointId)}</code></td><td>{Text(each.Owner)}</td><td>{Text(each.State)}</td><td>{Text(each.Reason ?? "")}</td></tr>");
        }

        body.Append("</table>");
        if (standing.HasKey)
        {
            body.Append("<p>The first API key was issued.</p>");
        }
        else if (standing.IsConnected)
        {
            body.Append(CultureInfo.InvariantCulture, $"<form method=\"post\" action=\"{RegisterBuyer.Path}/key\"><button>Show my first API key</button></form>");
        }
        else
        {
            body.Append("<p>Once an endpoint is available, your first API key can be fetched here.</p>");
        }
    }

    private static Html Page(int status, string body, bool refresh) => new Html(
        status,
        $$"""
        <!doctype html><html lang="en"><head><meta charset="utf-8"><title>NetAutomation registration</title>{{(refresh ? "<meta http-equiv=\"refresh\" content=\"10\">" : "")}}
        </head><body><h1>NetAutomation</h1>{{body}}</body></html>
        """);

    private static string Text(string text) => WebUtility.HtmlEncode(text);

    private sealed record Html(int Status, string Body) : IResult
    {
        public Task ExecuteAsync(HttpContext httpContext)
        {
            var response = httpContext.Response;
            response.StatusCode = Status;
            response.ContentType = "text/html; charset=utf-8";
            response.Headers.CacheControl = "no-store";
            response.Headers.ContentSecurityPolicy = "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
            response.Headers["Referrer-Policy"] = "no-referrer";
            response.Headers.XContentTypeOptions = "nosniff";
            return response.WriteAsync(Body, httpContext.RequestAborted);
        }
    }
}
