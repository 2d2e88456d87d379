using System.Diagnostics;
using System.Net;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Options;
using NetAutomation.Tenants;
using NetAutomation.Tenants.Accounts;
using NetAutomation.Tests.AwsSimulator;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Tenants;

/// <summary>An account belongs to a tenant only if it is proven, or if an operator says so.</summary>
public sealed partial class AwsAccountTests(PostgresServer postgres)
{
    private const string Other = SimulatedCloud.Stranger;

    [Fact]
    public async Task An_account_that_signed_the_challenge_may_connect()
    {
        await using var market = await MarketplaceFixture.Start(postgres);
        var (_, client, _, _) = await market.Onboard(await market.Subscribe());
        var claimed = (await client.Call("POST", "/v1/aws-accounts", new { account = Other })).Must(HttpStatusCode.Created);
        claimed.Json.GetProperty("state").GetString().ShouldBe("pending");
        claimed.Json.GetProperty("challenge").GetProperty("header").GetString().ShouldBe("x-netautomation-challenge");
        var nonce = claimed.Json.GetProperty("challenge").GetProperty("value").GetString()!;
        (await market.Principals()).ShouldNotContain($"arn:aws:iam::{Other}:root");

        await Refused(market.Presign(SimulatedCloud.Customer, nonce), HttpStatusCode.UnprocessableEntity, "bad_proof");
        await Refused(market.Presign(Other, "another-challenge"), HttpStatusCode.UnprocessableEntity, "bad_proof");
        await Refused(market.Presign(Other, nonce, secret: "wrong"), HttpStatusCode.UnprocessableEntity, "bad_proof");
        await Refused(market.Presign(Other, nonce, header: ""), HttpStatusCode.UnprocessableEntity, "bad_proof");
        await Refused(market.Presign(Other, nonce, header: "x-other"), HttpStatusCode.UnprocessableEntity, "bad_proof");
        var proof = market.Presign(Other, nonce);
        (await Prove(client, proof)).Must(HttpStatusCode.OK).Json.GetProperty("provenBy").GetString().ShouldBe("sts");
        await Eventually.Holds(async () => (await market.Principals()).Contains($"arn:aws:iam::{Other}:root"));
        (await Prove(client, proof)).Must(HttpStatusCode.OK);
        var endpoint = await market.Endpoint(Other);
        await Eventually.Holds(async () => await market.Cloud.StateAsync(endpoint) == "available");

        // After removal and a new claim the old proof is worthless.
        (await client.Call("POST", "/v1/aws-accounts", new { account = Other }))
            .Must(HttpStatusCode.Conflict).Problem.ShouldBe("account_known");
        (await client.Call("DELETE", $"/v1/aws-accounts/{Other}")).Must(HttpStatusCode.NoContent);
        (await client.Call("DELETE", $"/v1/aws-accounts/{Other}")).Must(HttpStatusCode.NotFound);
        (await client.Call("DELETE", $"/v1/aws-accounts/{SimulatedCloud.Customer}"))
            .Must(HttpStatusCode.Conflict).Problem.ShouldBe("last_account");
        (await Prove(client, proof)).Must(HttpStatusCode.NotFound);
        (await client.Call("POST", "/v1/aws-accounts", new { account = Other })).Must(HttpStatusCode.Created);
        await Refused(proof, HttpStatusCode.UnprocessableEntity, "bad_proof");
        (await market.Value<string>("select string_agg(action, ' ' order by id) from web.audit_event where subject = $1", Other))
            .ShouldBe("account.claimed account.added account.removed account.claimed");

        async Task Refused(string url, HttpStatusCode status, string problem) =>
            (await Prove(client, url)).Must(status).Problem.ShouldBe(problem);
    }

    [Fact]
    public async Task A_challenge_ends_and_is_tried_a_few_times_only()
    {
        await using var market = await MarketplaceFixture.Start(postgres);
        var (_, client, _, _) = await market.Onboard(await market.Subscribe());
        var nonce = (await client.Call("POST", "/v1/aws-accounts", new { account = Other }))
            .Must(HttpStatusCode.Created).Json.GetProperty("challenge").GetProperty("value").GetString()!;
        for (var i = 0; i < 10; i++)
        {
            (await Prove(client, market.Presign(Other, "wrong"))).Problem.ShouldBe("bad_proof");
        }

        (await Prove(client, market.Presign(Other, nonce))).Must(HttpStatusCode.Conflict).Problem.ShouldBe("no_challenge");
        // After a new claim the attempts still count until the first challenge would have expired.
        nonce = (await client.Call("POST", "/v1/aws-accounts", new { account = Other }))
            .Must(HttpStatusCode.Created).Json.GetProperty("challenge").GetProperty("value").GetString()!;
        (await Prove(client, market.Presign(Other, nonce))).Must(HttpStatusCode.Conflict).Problem.ShouldBe("no_challenge");
        await market.Sql("update onboarding.account_challenge set expires_at = now() - interval '1 second'");
        (await client.Call("POST", "/v1/aws-accounts", new { account = Other })).Must(HttpStatusCode.Created);
        (await Prove(client, market.Presign(Other, "wrong"))).Problem.ShouldBe("bad_proof");
        nonce = (await client.Call("POST", "/v1/aws-accounts", new { account = Other }))
            .Must(HttpStatusCode.Created).Json.GetProperty("challenge").GetProperty("value").GetString()!;
        await market.Sql("update onboarding.account_challenge set expires_at = now() - interval '1 second'");
        (await Prove(client, market.Presign(Other, nonce))).Must(HttpStatusCode.Conflict).Problem.ShouldBe("no_challenge");
        (await client.Call("GET", "/v1/aws-accounts")).Json.GetProperty("items")[0]
            .GetProperty("challenge").ValueKind.ShouldBe(System.Text.Json.JsonValueKind.Null);
        (await client.Call("POST", "/v1/aws-accounts", new { account = "12345" })).Must(HttpStatusCode.UnprocessableEntity);
        (await client.Call("POST", "/v1/aws-accounts/999999999999:prove", new { url = "x" })).Must(HttpStatusCode.NotFound);
    }

    [Fact]
    public async Task An_operator_approves_without_a_proof_and_sees_whose_else_the_account_is()
    {
        await using var market = await MarketplaceFixture.Start(postgres);
        var (tenant, client, _, _) = await market.Onboard(await market.Subscribe());
        var (other, _, _, _) = await market.Onboard(await market.Subscribe(Other));
        (await client.Call("POST", "/v1/aws-accounts", new { account = Other })).Must(HttpStatusCode.Created);
        var claim = (await market.Staff.Call("GET", "/operator/v1/account-claims")).Must(HttpStatusCode.OK).Json.GetProperty("items")
            .EnumerateArray().Single();
        claim.GetProperty("tenantId").GetString().ShouldBe($"{tenant}");
        var me = (await client.Call("GET", "/v1/me")).Json;
        (claim.GetProperty("requestedBy").GetString(), claim.GetProperty("member").GetString())
            .ShouldBe((me.GetProperty("memberId").GetString(), me.GetProperty("member").GetString()));
        claim.GetProperty("otherTenants").EnumerateArray().Single().GetString().ShouldBe($"{other}");
        (await market.Staff.Call("PUT", $"/operator/v1/tenants/{tenant}/accounts/{Other}")).Must(HttpStatusCode.OK);
        (await market.Staff.Call("GET", "/operator/v1/account-claims")).Json.GetProperty("items").GetArrayLength().ShouldBe(0);
        var mine = (await client.Call("GET", "/v1/aws-accounts")).Json.GetProperty("items").EnumerateArray()
            .Single(each => each.GetProperty("account").GetString() == Other);
        (mine.GetProperty("state").GetString(), mine.GetProperty("provenBy").GetString()).ShouldBe(("active", "operator"));
        // For its next endpoint an operator decides which tenant gets it.
        var endpoint = await market.Endpoint(Other);
        await Eventually.Holds(() => market.Value<bool>(
            """
            select exists (select from onboarding.acceptance_decision d join onboarding.endpoint_connection c on c.id = d.connection
              where c.endpoint_id = $1 and d.rule = 'several_tenants')
            """, endpoint));
        (await market.Cloud.StateAsync(endpoint)).ShouldBe("pendingAcceptance");
    }

    [Fact]
    public async Task Only_an_admin_claims()
    {
        await using var market = await MarketplaceFixture.Start(postgres);
        var (_, client, endpoint, _) = await market.Onboard(await market.Subscribe());
        var key = (await client.NewMemberKey("operator")).Secret;
        using var op = market.Service.Customer(endpoint, key);
        (await op.Call("GET", "/v1/aws-accounts")).Must(HttpStatusCode.OK);
        (await op.Call("POST", "/v1/aws-accounts", new { account = Other })).Must(HttpStatusCode.Forbidden);
        (await op.Call("POST", $"/v1/aws-accounts/{Other}:prove", new { url = "x" })).Must(HttpStatusCode.Forbidden);
        (await op.Call("DELETE", $"/v1/aws-accounts/{Other}")).Must(HttpStatusCode.Forbidden);
    }

    [Fact]
    public async Task The_registration_page_proves_with_the_snippet_it_shows()
    {
        await using var market = await MarketplaceFixture.Start(postgres);
        var subscription = await market.Subscribe();
        await market.Change(subscription, "activate");
        var browser = await market.Register(subscription);
        (await MarketplaceFixture.Post(browser, "/accounts", ("account", "abc"))).Page.ShouldContain("12 digits");
        (await MarketplaceFixture.Post(browser, "/accounts", ("account", Other))).Status.ShouldBe(HttpStatusCode.SeeOther);
        var snippet = Snippet().Match(await MarketplaceFixture.Page(browser)).Groups["code"].Value;
        snippet.ShouldContain("generate_presigned_url");
        var url =
            await Python(
                snippet.Replace(
                    "https://sts.us-east-1.amazonaws.com", market.Cloud.AwsUrl.ToString().TrimEnd('/'), StringComparison.Ordinal));
        Assert.SkipWhen(url is null, "Needs boto3.");
        (await MarketplaceFixture.Post(browser, "/accounts/prove", ("account", Other), ("url", "https://example.org/"))).Page.ShouldContain(
            "does not prove");
        (await MarketplaceFixture.Post(browser, "/accounts/prove", ("account", Other), ("url", url))).Status
            .ShouldBe(HttpStatusCode.SeeOther);
        await Eventually.Holds(async () => (await market.Principals()).Contains($"arn:aws:iam::{Other}:root"));
        (await MarketplaceFixture.Page(browser)).ShouldNotContain("is not proven yet");
    }

    /// <summary>
    /// The service requests the URL that a customer sends, so it must be GetCallerIdentity at AWS STS, and nothing else in the eyes of any
    /// parser.
    /// </summary>
    [Theory]
    [InlineData("https://sts.amazonaws.com/?{0}", true)]
    [InlineData("https://sts.eu-central-1.amazonaws.com/?{0}", true)]
    [InlineData("https://sts.us-gov-west-1.amazonaws.com/?{0}", true)]
    [InlineData("http://sts.amazonaws.com/?{0}", false)]
    [InlineData("https://sts.amazonaws.com:8443/?{0}", false)]
    [InlineData("https://sts.amazonaws.com./?{0}", false)]
    [InlineData("https://sts.amazonaws.com.evil.example/?{0}", false)]
    [InlineData("https://evil.example/?{0}", false)]
    [InlineData("https://sts.amazonaws.com@evil.example/?{0}", false)]
    [InlineData("https://evil.example#@sts.amazonaws.com/?{0}", false)]
    [InlineData("https://sts.amazonaws.com/?{0}#x", false)]
    [InlineData("https://sts.amazonaws.com\\@evil.example/?{0}", false)]
    [InlineData("https://169.254.169.254/?{0}", false)]
    [InlineData("https://sts.x.y.amazonaws.com/?{0}", false)]
    [InlineData("https://sts.us-east-1.amazonaws.com/latest?{0}", false)]
    [InlineData("https://sts.us-east-1.amazonaws.com/..%2f?{0}", false)]
    [InlineData("https://iam.amazonaws.com/?{0}", false)]
    [InlineData("https://sts.amazonaws.com/?{0}&Action=AssumeRole", false)]
    [InlineData("https://sts.amazonaws.com/?{0}&RoleArn=x", false)]
    [InlineData("https://sts.amazonaws.com/?{0}&X-Amz-SignedHeaders=host", false)]
    [InlineData("https://sts.amazonaws.com/?{0}&x-amz-signature=1", false)]
    [InlineData("https://sts.amazonaws.com/?", false)]
    [InlineData("https://sts.amazonaws.com/ ?{0}", false)]
    [InlineData("https://sts.amazonaws.com/\r\nHost: evil.example\r\n?{0}", false)]
    [InlineData("sts.amazonaws.com", false)]
    [InlineData("", false)]
    public void No_other_URL_is_ever_requested(string form, bool allowed)
    {
        const string query = "Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=AWS4-HMAC-SHA256"
            + "&X-Amz-Credential=A%2F20260101%2Fus-east-1%2Fsts%2Faws4_request&X-Amz-Date=20260101T000000Z&X-Amz-Expires=900"
            + "&X-Amz-SignedHeaders=host%3Bx-netautomation-challenge&X-Amz-Security-Token=a%2Bb%3D%3D&X-Amz-Signature=00";
        using var identity = new CallerIdentity(Options.Create(new TenantsOptions()));
        var fault = identity.Fault(form.Replace("{0}", query, StringComparison.Ordinal));
        (fault is null).ShouldBe(allowed, fault);
        identity.Fault(
            form.Replace("{0}", query.Replace("GetCallerIdentity", "AssumeRole", StringComparison.Ordinal), StringComparison.Ordinal))
                .ShouldNotBeNull();
        identity.Fault(
            form.Replace(
                "{0}", query.Replace("host%3Bx-netautomation-challenge", "host", StringComparison.Ordinal), StringComparison.Ordinal))
                    .ShouldNotBeNull();
    }

    private static Task<Answer> Prove(HttpClient client, string url) => client.Call("POST", $"/v1/aws-accounts/{Other}:prove", new { url });

    // Null where boto3 is missing.
    private static async Task<string?> Python(string code)
    {
        var start = new ProcessStartInfo("python3", ["-"])
        {
            UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true,
            Environment =
                { ["AWS_ACCESS_KEY_ID"] = "AKIA" + Other, ["AWS_SECRET_ACCESS_KEY"] = "secret-of-" + Other,
                    ["AWS_EC2_METADATA_DISABLED"] = "true" },
        };
        using var process = Process.Start(start)!;
        await process.StandardInput.WriteAsync(code);
        process.StandardInput.Close();
        var (printed, failed) = (await process.StandardOutput.ReadToEndAsync(), await process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync();
        if (process.ExitCode != 0)
        {
            failed.ShouldContain("No module named");
            return null;
        }

        return printed.Trim();
    }

    [GeneratedRegex(
        "<pre id=\"proof-[0-9]+\">(?<code>.*?)</pre>",
        RegexOptions.Singleline | RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Snippet();
}
