using System.Net;
using System.Text.Json;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.History;

public sealed class SearchConfigsTests(HistoryFixture fixture) : IClassFixture<HistoryFixture>
{
    [Fact]
    public async Task Search_looks_through_the_newest_text_of_each_device()
    {
        var (tenant, devices) = await fixture.Tenant(3);
        await fixture.Keep(tenant, devices[0], "hostname r1\nntp server 192.0.2.1\n");
        await fixture.Keep(tenant, devices[0], "hostname r1\nntp server 192.0.2.9\nntp server 192.0.2.8\n");
        await fixture.Keep(tenant, devices[1], "hostname r2\nntp server 192.0.2.9\n");
        // Back to an earlier text.
        await fixture.Keep(tenant, devices[2], "hostname r3\nntp server 192.0.2.7\n");
        await fixture.Keep(tenant, devices[2], "hostname r3\n");
        await fixture.Keep(tenant, devices[2], "hostname r3\nntp server 192.0.2.7\n");

        (await Found(tenant.Client, "q=192.0.2.1")).ShouldBeEmpty();
        (await Found(tenant.Client, "q=192.0.2.9")).ShouldBe([devices[0], devices[1]]);
        (await Found(tenant.Client, "q=192.0.2.7")).ShouldBe([devices[2]]);
        (await Found(tenant.Client, @"regex=^ntp server .*\.[89]$")).ShouldBe([devices[0], devices[1]]);
        (await Found(tenant.Client, "q=192.0.2.9&label=role=core")).ShouldBe([devices[1]]);
        (await Found(tenant.Client, $"q=hostname&after={devices[0]}")).ShouldBe([devices[1], devices[2]]);
        var hit = (await tenant.Client.Call("GET", "/v1/configs:search?q=ntp")).Json;
        (hit.Number("searched"), hit.GetProperty("next").ValueKind).ShouldBe((3, JsonValueKind.Null));
        var first = hit.GetProperty("items")[0];
        first.Number("matches").ShouldBe(2);
        first.GetProperty("lines").EnumerateArray().Select(line => (line.Number("number"), line.Word("text"))).ShouldBe(
            [(2, "ntp server 192.0.2.9"), (3, "ntp server 192.0.2.8")]);
    }

    [Fact]
    public async Task Hit_names_its_device_and_configuration_and_devices_without_one_are_counted()
    {
        var (tenant, devices) = await fixture.Tenant(3);
        var time = DateTimeOffset.UtcNow.AddDays(-3);
        await fixture.Keep(tenant, devices[1], "hostname core\n", time: time);
        await fixture.Keep(tenant, devices[1], "hostname other\n", time: time.AddHours(1));
        await fixture.Keep(tenant, devices[1], "hostname core\n", time: time.AddHours(2));
        await fixture.Keep(tenant, devices[1], "hostname core\n", time: time.AddHours(3));
        var newest = (await HistoryFixture.Configs(tenant.Client, devices[1]))[0];

        var answer = (await tenant.Client.Call("GET", "/v1/configs:search?q=core")).Must(HttpStatusCode.OK).Json;
        var hit = answer.GetProperty("items").EnumerateArray().ShouldHaveSingleItem();
        (hit.Word("deviceId"), hit.Word("device"), hit.Word("configId")).ShouldBe(($"{devices[1]}", "r002", newest.Id()));
        hit.GetProperty("time").GetDateTimeOffset().ShouldBe(newest.GetProperty("time").GetDateTimeOffset());
        hit.GetProperty("lastSeen").GetDateTimeOffset().ShouldBe(newest.GetProperty("lastSeen").GetDateTimeOffset());
        (answer.Number("searched"), answer.Number("withoutConfig")).ShouldBe((1, 2));
        (await tenant.Client.Call("GET", "/v1/configs:search?q=core&label=role=edge")).Json.Number("withoutConfig").ShouldBe(1);
        (await tenant.Client.Call("GET", $"/v1/configs:search?q=core&after={devices[1]}")).Json.Number("withoutConfig").ShouldBe(2);
    }

    [Fact]
    public async Task Search_of_another_tenant_finds_nothing()
    {
        var ((one, devices), (two, _)) = (await fixture.Tenant(), await fixture.Tenant());
        await fixture.Keep(one, devices[0], "hostname only-one\n");

        (await Found(one.Client, "q=only-one")).ShouldBe([devices[0]]);
        (await Found(two.Client, "q=only-one")).ShouldBeEmpty();
    }

    [Theory]
    [InlineData("", "/q one_of")]
    [InlineData("q=a&regex=b", "/q one_of")]
    [InlineData("q=", "/q out_of_range")]
    [InlineData("q=a%0Ab", "/q out_of_range")]
    [InlineData("regex=(", "/regex pattern")]
    [InlineData(@"regex=(a)\1", "/regex pattern")]
    [InlineData("regex=(?=a)", "/regex pattern")]
    [InlineData("regex=((((a{1000}){1000}){1000}){1000})", "/regex pattern")]
    [InlineData("q=a&label=!!", "/label selector")]
    public async Task Search_that_cannot_be_made_is_refused(string query, string fault)
    {
        var answer = (await fixture.Runs.Client.Call("GET", $"/v1/configs:search?{query}")).Must(HttpStatusCode.UnprocessableEntity);
        answer.Faults.Single().ShouldBe(fault);
    }

    [Fact]
    public async Task Pattern_that_would_run_away_ends_soon()
    {
        var (tenant, devices) = await fixture.Tenant();
        await fixture.Keep(tenant, devices[0], new string('a', 100_000) + "!\n");

        (await Found(tenant.Client, "regex=(a*)*b")).ShouldBeEmpty();
    }

    private static async Task<List<DeviceId>> Found(HttpClient client, string query) =>
    [
        .. (await client.Call("GET", $"/v1/configs:search?{query}")).Must(HttpStatusCode.OK).Json.GetProperty("items").EnumerateArray()
            .Select(item => DeviceId.Parse(item.Word("deviceId"))),
    ];
}
