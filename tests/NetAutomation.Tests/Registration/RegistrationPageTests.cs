using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.RegularExpressions;
using NetAutomation.EndToEnd;
using NetAutomation.Tests.AwsSimulator;
using NetAutomation.Tests.Support;
using NetAutomation.Tests.Tenants;
using NetAutomation.Web;

namespace NetAutomation.Tests.Registration;

/// <summary>The buyer's pages, from the click in AWS Marketplace to the first key.</summary>
public sealed partial class RegistrationPageTests(PostgresServer postgres)
{
    [Fact]
    public async Task The_steps_follow_the_events()
    {
        await using var market = await MarketplaceFixture.Start(postgres);
        var subscription = await market.Subscribe();
        var browser = await market.Register(subscription);
        (await Step(browser)).ShouldBe("subscription");
        (await MarketplaceFixture.Page(browser)).ShouldContain("Waiting for AWS Marketplace");
        (await MarketplaceFixture.Post(browser, "/key")).Status.ShouldBe(HttpStatusCode.Conflict);

        await market.Change(subscription, "activate");
        await Eventually.Holds(async () => await Step(browser) == "endpoint");
        var page = await MarketplaceFixture.Page(browser);
        page.ShouldContain($"<code id=\"service-name\">{SimulatedCloud.ServiceName}</code>");
        page.ShouldContain($"--service-name {SimulatedCloud.ServiceName}");
        page.ShouldContain($"service_name        = \"{SimulatedCloud.ServiceName}\"");
        page.ShouldContain("--region us-east-1");
        page.ShouldContain("--port 8443-8444");
        (await MarketplaceFixture.Post(browser, "/key")).Status.ShouldBe(HttpStatusCode.Conflict);

        var endpoint = await market.Endpoint(SimulatedCloud.Customer);
        await Eventually.Holds(async () => await Step(browser) == "key");
        (await MarketplaceFixture.Page(browser)).ShouldContain(endpoint);
        var (status, key) = await MarketplaceFixture.Post(browser, "/key");
        status.ShouldBe(HttpStatusCode.OK);
        key.ShouldContain("<pre id=\"api-key\">nak_");
        key.ShouldContain($"--vpc-endpoint-ids {endpoint}");
        key.ShouldContain("-----BEGIN CERTIFICATE-----");
        (await Step(browser)).ShouldBe("connector");
        (await MarketplaceFixture.Page(browser)).ShouldNotContain("nak_");
        (await MarketplaceFixture.Post(browser, "/key")).Page.ShouldContain("issued before");

        await market.Sql(
            """
            insert into inventory.site (tenant_id, id, name, version) select tenant_id, gen_random_uuid(), 's', 1 from onboarding.tenant;
            """);
        await market.Sql(
            """
            insert into connectors.connector (tenant_id, id, site_id, name, state, public_key)
            select tenant_id, gen_random_uuid(), id, 'c', 'active', '\x00' from inventory.site
            """);
        (await Step(browser)).ShouldBe("run");
        await market.Change(subscription, "deprovision");
        await Eventually.Holds(async () => await Step(browser) == "ended");
        (await MarketplaceFixture.Page(browser)).ShouldContain("The subscription has ended");
    }

    [Fact]
    public async Task A_token_is_taken_from_the_form_alone_and_may_be_used_again_until_it_expires()
    {
        await using var market = await MarketplaceFixture.Start(postgres);
        var subscription = await market.Subscribe();
        using var stranger = market.Service.Browser();
        var address = $"/marketplace/registration?x-amzn-marketplace-token={Uri.EscapeDataString(subscription.Token)}";
        (await stranger.GetStringAsync(address)).ShouldContain("opened from AWS Marketplace");
        (await stranger.PostAsync(address, null)).StatusCode.ShouldBe(HttpStatusCode.BadRequest);
        (await MarketplaceFixture.Post(stranger, "")).Page.ShouldContain("opened from AWS Marketplace");
        (await market.Value<long>("select count(*) from onboarding.tenant")).ShouldBe(0);

        var first = await market.Register(subscription);
        var second = await market.Register(subscription);
        (await MarketplaceFixture.Tenant(second)).ShouldBe(await MarketplaceFixture.Tenant(first));
        (await market.Value<long>("select count(*) from onboarding.tenant")).ShouldBe(1);
        (await MarketplaceFixture.Post(stranger, "", ("x-amzn-marketplace-token", "forged"))).Page
            .ShouldContain("This registration is not valid");
        (await stranger.GetAsync("/marketplace/registration/status")).StatusCode.ShouldBe(HttpStatusCode.Unauthorized);
        foreach (var path in (string[])["/key", "/accounts", "/accounts/prove"])
        {
            (await MarketplaceFixture.Post(stranger, path, ("account", "222222222222"))).Status.ShouldBe(HttpStatusCode.BadRequest);
        }
    }

    [Fact]
    public async Task Requests_that_no_browser_sends_are_answered_without_a_fault()
    {
        await using var market = await MarketplaceFixture.Start(postgres);
        using var browser = await market.Register(await market.Subscribe());
        var form = "application/x-www-form-urlencoded";
        (string Type, string Body)[] odd =
        [
            ("multipart/form-data", "x"),
            ("multipart/form-data; boundary=b", "--b\r\nbroken"),
            (form, string.Join('&', Enumerable.Range(0, 1100).Select(i => $"k{i}=v"))),
            (form, $"{new string('k', 3000)}=v"),
            (form, $"account={new string('1', 70_000)}"),
            ("text/plain", "account=1"),
        ];
        foreach (var (type, body) in odd)
        {
            foreach (var path in (string[])["", "/accounts", "/accounts/prove"])
            {
                using var content = new StringContent(body);
                content.Headers.ContentType = System.Net.Http.Headers.MediaTypeHeaderValue.Parse(type);
                (await browser.PostAsync($"/marketplace/registration{path}", content)).StatusCode.ShouldBe(
                    HttpStatusCode.BadRequest, $"{path} {type} {body[..Math.Min(20, body.Length)]}");
            }
        }

        // U+0000, which PostgreSQL refuses.
        (await Parts("", "x-amzn-marketplace-token", "\0")).ShouldBe(HttpStatusCode.BadRequest);
        (await Parts("/accounts", "account", "22222222222\0")).ShouldBe(HttpStatusCode.UnprocessableEntity);
        (await Parts("/accounts/prove", "account", "22222222222\0")).ShouldBe(HttpStatusCode.Conflict);
        (await MarketplaceFixture.Post(browser, "/accounts", ("account", "22222222222\0"))).Status.ShouldBe(HttpStatusCode.BadRequest);

        (await MarketplaceFixture.Post(browser, "/accounts", ("account", "666666666666"))).Status.ShouldBe(HttpStatusCode.SeeOther);
        (await MarketplaceFixture.Post(browser, "/accounts/prove", ("account", "666666666666"), ("url", "x"))).Status.ShouldBe(
            HttpStatusCode.UnprocessableEntity);
        await market.Sql("insert into web.tenant_limit (tenant_id, name, max) select tenant_id, 'aws_accounts', 0 from onboarding.tenant"
            + " on conflict (tenant_id, name) do update set max = 0");
        var (status, full) = await MarketplaceFixture.Post(browser, "/accounts", ("account", "888888888888"));
        (status, full.Contains("The limit aws_accounts is 0", StringComparison.Ordinal)).ShouldBe((HttpStatusCode.Conflict, true));
        await market.Sql("update onboarding.tenant set state = 'ended', reads_until = now() + interval '1 day'");
        (await MarketplaceFixture.Post(browser, "/accounts", ("account", "777777777777"))).Status.ShouldBe(HttpStatusCode.Forbidden);
        (await MarketplaceFixture.Post(browser, "/accounts/prove", ("account", "666666666666"), ("url", "x"))).Status.ShouldBe(
            HttpStatusCode.Forbidden);

        async Task<HttpStatusCode> Parts(string path, string name, string value)
        {
            using var parts = new MultipartFormDataContent { { new StringContent(value), name } };
            return (await browser.PostAsync($"/marketplace/registration{path}", parts)).StatusCode;
        }
    }

    [Fact]
    public async Task Faults_of_AWS_are_distinguished()
    {
        await using var expired = await MarketplaceFixture.Start(postgres, market => market with { TokenHours = 0 });
        using var late = expired.Service.Browser();
        var token = (await expired.Subscribe()).Token;
        (await MarketplaceFixture.Post(late, "", ("x-amzn-marketplace-token", token))).Page.ShouldContain("This registration has expired");
        await using var away = await MarketplaceFixture.Start(postgres);
        var (subscription, browser) = (await away.Subscribe(), away.Service.Browser());
        await away.CutAws();
        var (status, page) = await MarketplaceFixture.Post(browser, "", ("x-amzn-marketplace-token", subscription.Token));
        (status, page.Contains("AWS Marketplace does not answer now", StringComparison.Ordinal))
            .ShouldBe((HttpStatusCode.ServiceUnavailable, true));
    }

    [Fact]
    public async Task The_page_loads_nothing_and_runs_only_its_own_script()
    {
        await using var market = await MarketplaceFixture.Start(postgres);
        using var browser = await market.Register(await market.Subscribe());
        using var answer = await browser.GetAsync("/marketplace/registration");
        var page = await answer.Content.ReadAsStringAsync();
        var policy = answer.Headers.GetValues("Content-Security-Policy").Single();
        policy.ShouldStartWith("default-src 'none';");
        foreach (var (element, directive) in new[] { ("script", "script-src"), ("style", "style-src") })
        {
            var text = page.Split($"<{element}>")[1].Split($"</{element}>")[0];
            var hash = Convert.ToBase64String(System.Security.Cryptography.SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(text)));
            policy.ShouldContain($"{directive} 'sha256-{hash}'");
        }

        Loads().IsMatch(page).ShouldBeFalse();
        answer.Headers.CacheControl!.NoStore.ShouldBeTrue();
        answer.Headers.GetValues("Referrer-Policy").Single().ShouldBe("no-referrer");
        answer.Headers.GetValues("X-Content-Type-Options").Single().ShouldBe("nosniff");
    }

    [Fact]
    public async Task The_page_goes_on_by_itself_in_a_browser()
    {
        Assert.SkipUnless(Browser.Installed, "Needs Chromium (deploy/local/install --with-browser).");
        await using var market = await MarketplaceFixture.Start(postgres);
        var subscription = await market.Subscribe();
        await using var browser = await Browser.Start("service.example", "127.0.0.1", "none");
        // The browser posts a form of another site, as with Marketplace.
        var page = $"http://service.example:{market.Service.Address(Listener.Registration).Port}/marketplace/registration";
        await browser.Evaluate(
            $$"""
            (token => { document.body.innerHTML = '<form method="post" action="{{page}}"><input name="x-amzn-marketplace-token"></form>';
                        document.querySelector('input').value = token; document.querySelector('form').submit(); })('{{subscription.Token}}')
            """);
        await browser.Await("document.querySelector('#state')?.textContent === 'pending'");
        (await browser.Evaluate("location.href"))!.GetValue<string>().ShouldBe(page);
        await market.Change(subscription, "activate");
        await browser.Await("document.querySelector('#service-name')");
        await browser.Await("getComputedStyle(document.querySelector('button[data-copy=cli]')).display !== 'none'");

        // The next step keeps the values that the buyer has typed.
        await browser.Evaluate(
            "document.querySelector('details').open = true; document.querySelector('input[name=account]').value = '123'");
        var endpoint = await market.Endpoint(SimulatedCloud.Customer);
        await browser.Await($"document.querySelector('#connections').textContent.includes('{endpoint}{SimulatedCloud.Customer}available')");
        (await browser.Evaluate("document.querySelector('input[name=account]')?.value"))!.GetValue<string>().ShouldBe("123");
        await browser.Evaluate("document.querySelector('input[name=account]').value = ''");
        await browser.Click("#step-key button");
        await browser.Await("document.querySelector('#api-key')");
        await browser.Click("button[data-copy=api-key]");
        await browser.Await(
            "getSelection().toString().startsWith('nak_') || document.querySelector('button[data-copy=api-key]').textContent === 'Copied'");
        (await browser.Evaluate(
            "performance.getEntriesByType('resource').filter(entry => new URL(entry.name).origin !== location.origin).length"))!
            .GetValue<int>().ShouldBe(0);
    }

    private static async Task<string> Step(HttpClient browser) =>
        (await browser.GetFromJsonAsync<JsonElement>("/marketplace/registration/status")).GetProperty("step").GetString()!;

    [GeneratedRegex("(?:src|href)=\"(?!/marketplace/)|url\\(|@import|\\son[a-z]+=\"", RegexOptions.CultureInvariant, 1000)]
    private static partial Regex Loads();
}
