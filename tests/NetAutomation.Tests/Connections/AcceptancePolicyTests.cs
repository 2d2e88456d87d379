using System.Net;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Time.Testing;
using NetAutomation.Persistence;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Connections;

/// <summary>The operator's policy: each condition, the order of rules, previewed decisions, and refused policies.</summary>
public sealed class AcceptancePolicyTests(PostgresServer postgres) : IAsyncLifetime
{
    private const string Path = "/operator/v1/acceptance-policies";
    private static readonly DateTimeOffset _noon = new(2026, 6, 1, 12, 0, 0, TimeSpan.Zero);
    private readonly FakeTimeProvider _clock = new(TimeProvider.System.GetUtcNow());
    private ServiceHost _service = null!;
    private HttpClient _staff = null!;
    private TestTenant _tenant = null!;

    public async ValueTask InitializeAsync()
    {
        _service = await ServiceHost.Start(
            await postgres.Create(), ["Onboarding:ServiceName=com.amazonaws.vpce.us-east-1.vpce-svc-0", "Roles:1=api"],
            builder => builder.Services.Replace(ServiceDescriptor.Singleton<TimeProvider>(_clock)));
        (_staff, _tenant) = (_service.Operator(), await _service.CreateTenant());
    }

    public ValueTask DisposeAsync() => _service.DisposeAsync();

    [Fact]
    public async Task The_rules_of_before_are_version_1()
    {
        var policy = (await _staff.Call("GET", Path)).Must(HttpStatusCode.OK);
        policy.ETag.ShouldBe("\"1\"");
        policy.Json.GetProperty("rules").EnumerateArray()
            .Select(rule => $"{rule.GetProperty("name")} {rule.GetProperty("owner")} {rule.GetProperty("verdict")}").ShouldBe(
            ["active_tenant one_active_tenant accept", "several_tenants several_active_tenants leave",
                "inactive_tenant inactive_tenant leave", "stranger stranger reject"]);
        (await Try(_tenant.Account)).ShouldBe("accept active_tenant");
        (await Try("999999999999")).ShouldBe("reject stranger");
    }

    [Fact]
    public async Task The_first_rule_that_fits_decides_and_those_before_say_why_not()
    {
        await Replace(
            Rule("ours", "accept", new { accounts = new[] { "999999999999" } }), Rule("any", "reject", owner: "anyone"),
            Rule("never", "accept"));
        var tried = (await _staff.Call("POST", $"{Path}:try", new { owner = _tenant.Account })).Must(HttpStatusCode.OK).Json;
        tried.GetProperty("verdict").GetString().ShouldBe("reject");
        tried.GetProperty("rule").GetString().ShouldBe("any");
        tried.GetProperty("reason").GetString().ShouldBe("because any");
        tried.GetProperty("policyVersion").GetInt32().ShouldBe(2);
        tried.GetProperty("tenantId").ValueKind.ShouldBe(JsonValueKind.Null);
        tried.GetProperty("passedOver").EnumerateArray().Select(each => $"{each.GetProperty("rule")} {each.GetProperty("because")}")
            .ShouldBe(["ours accounts"]);
        await Replace();
        (await Try(_tenant.Account)).ShouldBe("leave no_rule");
    }

    [Fact]
    public async Task No_collection_holds_null_and_no_text_holds_U0000()
    {
        string[] bad =
        [
            """{"rules":[null]}""", """{"rules":[{"name":"n","owner":"anyone","verdict":"leave","reason":"r","accounts":[null]}]}""",
            """{"rules":[{"name":"n","owner":"anyone","verdict":"leave","reason":"r","regions":[null]}]}""",
            """{"rules":[{"name":"n","owner":"anyone","verdict":"leave","reason":"r","tags":{"a":null}}]}""",
            """{"rules":[{"name":"n","owner":"anyone","verdict":"leave","reason":"r","tags":{"\u0000":"a"}}]}""",
        ];
        foreach (var body in bad)
        {
            using var request =
                new HttpRequestMessage(
                    HttpMethod.Put, Path)
                { Content = new StringContent(body, System.Text.Encoding.UTF8, "application/json") };
            request.Headers.TryAddWithoutValidation("If-Match", "*");
            var answer = await _staff.SendAsync(request);
            answer.StatusCode.ShouldBe(HttpStatusCode.BadRequest, body);
            (await answer.Content.ReadAsStringAsync()).ShouldContain("\"/rules");
        }

        var account = $"/operator/v1/tenants/{_tenant.Id}/accounts/{_tenant.Account}";
        (await _staff.Call("PUT", account, new { principals = new string?[] { null } })).Faults.ShouldBe(["/principals unreadable"]);
        foreach (var query in new[] { "owner", "state" })
        {
            (await _staff.GetAsync($"/operator/v1/endpoint-connections?{query}=%00")).StatusCode.ShouldBe(HttpStatusCode.BadRequest);
        }
    }

    [Fact]
    public async Task Accounts()
    {
        await Replace(Rule("listed", "accept", new { accounts = new[] { "999999999999", _tenant.Account } }));
        (await Try(_tenant.Account)).ShouldBe("accept listed");
        (await Try((await _service.CreateTenant()).Account)).ShouldBe("leave no_rule");
    }

    [Fact]
    public async Task Owner_kinds()
    {
        var (other, idle) = (await _service.CreateTenant(), await _service.CreateTenant());
        (await _staff.Call("PUT", $"/operator/v1/tenants/{other.Id}/accounts/123456789012")).Must(HttpStatusCode.OK);
        (await _staff.Call("PUT", $"/operator/v1/tenants/{_tenant.Id}/accounts/123456789012")).Must(HttpStatusCode.OK);
        (await _staff.Call("POST", $"/operator/v1/tenants/{idle.Id}:suspend", new { reason = "test" })).Must(HttpStatusCode.OK);
        await Replace(
            Rule("one", "accept"), Rule("several", "leave", owner: "several_active_tenants"),
            Rule("idle", "reject", owner: "inactive_tenant"), Rule("nobody", "reject", owner: "stranger"));
        (await Try(_tenant.Account)).ShouldBe("accept one");
        (await Try("123456789012")).ShouldBe("leave several");
        (await Try(idle.Account)).ShouldBe("reject idle");
        (await Try("999999999999")).ShouldBe("reject nobody");
        (await Try("999999999999", tenantId: other.Id)).ShouldBe("accept one");
        (await Try("123456789012", tenantId: idle.Id)).ShouldBe("reject idle");
    }

    [Fact]
    public async Task Agreement_state()
    {
        await Replace(
            Rule("ended", "reject", new { agreement = new[] { "ended" } }, "anyone"),
            Rule("active", "accept", new { agreement = new[] { "pending", "active" } }));
        (await Try(_tenant.Account)).ShouldBe("accept active");
        await using var scope = _service.Services.CreateAsyncScope();
        await scope.ServiceProvider.GetRequiredService<SystemDb>()
            .Execute($"update onboarding.agreement set state = 'ended', ended_at = now() where tenant_id = {_tenant.Id.Value}");
        (await Try(_tenant.Account)).ShouldBe("reject ended");
    }

    [Fact]
    public async Task Regions()
    {
        await Replace(
            Rule("near", "accept", new { regions = new[] { "eu-central-1", "us-east-1" } }), Rule("far", "reject", owner: "anyone"));
        (await Try(_tenant.Account, "eu-central-1")).ShouldBe("accept near");
        (await Try(_tenant.Account, "eu-west-1")).ShouldBe("reject far");
        // EC2 names the Region only if it differs from the service's.
        (await Try(_tenant.Account)).ShouldBe("accept near");
    }

    [Fact]
    public async Task Tags()
    {
        await Replace(Rule("tagged", "accept", new { tags = new { stage = "live", team = "a" } }));
        (await Try(_tenant.Account, tags: new { stage = "live", team = "a", more = "x" })).ShouldBe("accept tagged");
        (await Try(_tenant.Account, tags: new { stage = "live", team = "b" })).ShouldBe("leave no_rule");
        (await Try(_tenant.Account, tags: new { stage = "live" })).ShouldBe("leave no_rule");
        (await Try(_tenant.Account)).ShouldBe("leave no_rule");
    }

    [Fact]
    public async Task Maximum_of_connections()
    {
        // The tenant has one connection.
        await Replace(Rule("two", "accept", new { maxConnections = 2 }));
        (await Try(_tenant.Account)).ShouldBe("accept two");
        await Replace(Rule("one", "accept", new { maxConnections = 1 }));
        (await Try(_tenant.Account)).ShouldBe("leave no_rule");
    }

    [Fact]
    public async Task Time()
    {
        _clock.AdjustTime(_noon);
        await Replace(Rule("june", "accept", new { validFrom = _noon, validUntil = _noon.AddDays(1) }));
        (await Try(_tenant.Account)).ShouldBe("accept june");
        _clock.AdjustTime(_noon.AddDays(1));
        (await Try(_tenant.Account)).ShouldBe("leave no_rule");
        _clock.AdjustTime(_noon.AddSeconds(-1));
        (await Try(_tenant.Account)).ShouldBe("leave no_rule");

        // Noon in UTC is 14:00 in Berlin in summer.
        await Replace(
            Rule("day", "accept", new { hours = new { from = "08:00", until = "14:00", zone = "Europe/Berlin" } }),
            Rule("night", "reject", new { hours = new { from = "22:00", until = "06:00", zone = "Europe/Berlin" } }, "anyone"));
        (await Try(_tenant.Account)).ShouldBe("accept day");
        _clock.AdjustTime(_noon);
        (await Try(_tenant.Account)).ShouldBe("leave no_rule");
        _clock.AdjustTime(_noon.AddHours(11));
        (await Try(_tenant.Account)).ShouldBe("reject night");
    }

    [Fact]
    public async Task Replacing_needs_the_version_that_was_read()
    {
        (await _staff.Call("PUT", Path, new { rules = Array.Empty<object>() })).Status.ShouldBe((HttpStatusCode)428);
        (await _staff.Call("PUT", Path, new { rules = Array.Empty<object>() }, "\"7\"")).Status.ShouldBe(HttpStatusCode.PreconditionFailed);
        (await _staff.Call("PUT", Path, new { rules = Array.Empty<object>() }, "\"1\"")).Must(HttpStatusCode.OK).ETag.ShouldBe("\"2\"");
        (await _staff.Call("PUT", Path, new { rules = Array.Empty<object>() }, "\"1\"")).Status.ShouldBe(HttpStatusCode.PreconditionFailed);
    }

    [Fact]
    public async Task Every_fault_of_a_policy_is_named_by_its_place()
    {
        var refused = await _staff.Call("PUT", Path, new
        {
            rules = new object[]
            {
                Rule("good", "accept"),
                Rule("good", "accept", owner: "stranger"),
                new { name = "", owner = "friend", verdict = "perhaps", reason = "" },
                Rule("conditions", "reject", new
                {
                    accounts = new[] { "123456789012", "12" }, agreement = new[] { "suspended" }, regions = new[] { "Mars" },
                    tags = new { }, maxConnections = 0,
                    validFrom = _noon, validUntil = _noon, hours = new { from = "8", until = "25:00", zone = "Mars/Base" },
                }),
            },
        }, "\"1\"");
        refused.Status.ShouldBe(HttpStatusCode.UnprocessableEntity);
        refused.Faults.ShouldBe(
            [
                "/rules/1/verdict not_allowed", "/rules/1/name duplicate",
                "/rules/2/name pattern", "/rules/2/reason length", "/rules/2/owner not_allowed", "/rules/2/verdict not_allowed",
                "/rules/3/accounts/1 not_allowed", "/rules/3/agreement/0 not_allowed", "/rules/3/regions/0 not_allowed",
                "/rules/3/tags not_allowed",
                "/rules/3/maxConnections out_of_range", "/rules/3/validUntil out_of_range", "/rules/3/hours/from not_allowed",
                "/rules/3/hours/until not_allowed",
                "/rules/3/hours/zone not_allowed",
            ],
            ignoreOrder: true);
        (await _staff.Call("GET", Path)).ETag.ShouldBe("\"1\"");
        (await _staff.Call("POST", $"{Path}:try", new { owner = "12" })).Faults.ShouldBe(["/owner not_allowed"]);
        (await _staff.Call("POST", $"{Path}:try", new { owner = "123456789012", tenantId = $"{TenantId.New()}" })).Faults.ShouldBe(
            ["/tenantId unknown"]);
    }

    private async Task Replace(params object[] rules)
    {
        var version = (await _staff.Call("GET", Path)).ETag;
        (await _staff.Call("PUT", Path, new { rules }, version)).Must(HttpStatusCode.OK);
    }

    private async Task<string> Try(string owner, string? region = null, object? tags = null, TenantId? tenantId = null)
    {
        var answer = (await _staff.Call("POST", $"{Path}:try", new { owner, region, tags, tenantId = tenantId is { } id ? $"{id}" : null }))
            .Must(HttpStatusCode.OK).Json;
        return $"{answer.GetProperty("verdict").GetString()} {answer.GetProperty("rule").GetString()}";
    }

    private static Dictionary<string, JsonElement> Rule(string name, string verdict, object? conditions = null, string? owner = null)
    {
        var rule = JsonSerializer.SerializeToElement(conditions ?? new { }).EnumerateObject()
            .ToDictionary(each => each.Name, each => each.Value);
        foreach (
            var (member, value) in new[] {
                ("name", name), ("owner", owner ?? "one_active_tenant"), ("verdict", verdict), ("reason", $"because {name}") })
        {
            rule[member] = JsonSerializer.SerializeToElement(value);
        }

        return rule;
    }
}
