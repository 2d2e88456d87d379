using System.IO.Compression;
using System.Net;
using System.Text.Json;
using NetAutomation.Runs;
using NetAutomation.Tests.Runs;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Tenants;

public sealed class ExportTests(PostgresServer postgres)
{
    [Fact]
    public async Task A_customer_takes_everything_along_and_sees_whether_it_was_all()
    {
        await using var fixture = await RunFixture.Start(postgres, devices: 3);
        await fixture.Host.CreateTenant();
        await fixture.StartRun();
        await fixture.Work((await fixture.Claim())!, DeviceOutcome.Changed);
        var lines = await Lines(fixture.Tenant.Client, "/v1/export");

        var (end, rows) = (lines[^1], lines[..^1]);
        end.Kind.ShouldBe("end");
        var counts = end.Data.GetProperty("counts").EnumerateObject().ToDictionary(each => each.Name, each => each.Value.GetInt64());
        counts.ShouldBe(counts.Keys.ToDictionary(kind => kind, kind => (long)rows.Count(row => row.Kind == kind)));
        counts["device"].ShouldBe(3);
        counts["receipt"].ShouldBe(3);
        counts["run"].ShouldBe(1);
        counts["invoice"].ShouldBe(1);
        counts.Keys.ShouldBe(
            ["api_key", "audit_event", "config", "connector", "credential", "device", "entitlement", "invoice", "member", "plan",
                "purchase", "receipt", "run", "schedule", "site", "usage", "window"]);

        // The exported receipts verify like those of the receipts endpoint.
        var receipts = (await fixture.Tenant.Client.GetStringAsync("/v1/receipts")).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        rows.Where(row => row.Kind == "receipt").Select(row => row.Data.GetRawText()).ShouldBe(receipts);
        var devices = (await fixture.Tenant.Client.GetStringAsync("/v1/devices"))[10..];
        devices.ShouldStartWith(rows.First(row => row.Kind == "device").Data.GetRawText());

        // The provider gets the same export, even when the customer may no longer read.
        await fixture.Sql(
            "update onboarding.tenant set state = 'ended', reads_until = now() - interval '1 day' where tenant_id = $1",
            fixture.Tenant.Id.Value);
        using var staff = fixture.Host.Operator();
        var request = await fixture.Host.Approved(fixture.Tenant.Id, new { deed = "export", reason = "asked for" });
        var theirs = Lines((await staff.Call("POST", $"/operator/v1/tenants/{fixture.Tenant.Id}:export", new { requestId = request }))
            .Must(HttpStatusCode.OK).Text);
        theirs.Where(row => row.Kind is not ("audit_event" or "end" or "api_key")).Select(row => row.Data.GetRawText())
            .ShouldBe(rows.Where(row => row.Kind is not ("audit_event" or "api_key")).Select(row => row.Data.GetRawText()));
        theirs.ShouldContain(row => row.Kind == "audit_event" && row.Data.GetProperty("action").GetString() == "tenant.exported");
        (await staff.Call("POST", $"/operator/v1/tenants/{TenantId.New()}:export", new { requestId = request }))
            .Must(HttpStatusCode.NotFound);
    }

    [Fact]
    public async Task Lists_longer_than_a_page_are_whole()
    {
        await using var fixture = await RunFixture.Start(postgres, devices: 0);
        await fixture.AppSql(
            $"""
            insert into web.audit_event (id, tenant_id, principal, member, action, subject, data)
            select gen_random_uuid(), '{fixture.Tenant.Id.Value}', 'test', 'test', 'test.done', n::text, jsonb '1'
            from generate_series(1, 450) n
            """);
        var deeds = (await Lines(fixture.Tenant.Client, "/v1/export"))
            .Where(row => row.Kind == "audit_event" && row.Data.GetProperty("action").GetString() == "test.done");
        deeds.Select(row => row.Data.GetProperty("subject").GetString()).Distinct().Count().ShouldBe(450);
    }

    [Fact]
    public async Task An_export_is_compressed_for_those_who_ask_and_a_small_answer_is_not()
    {
        await using var fixture = await RunFixture.Start(postgres, devices: 0);
        var plain = await fixture.Tenant.Client.GetStringAsync("/v1/usage/focus.csv");
        fixture.Tenant.Client.DefaultRequestHeaders.AcceptEncoding.ParseAdd("gzip");
        using var packed = await fixture.Tenant.Client.GetAsync("/v1/usage/focus.csv");
        packed.Content.Headers.ContentEncoding.ShouldBe(["gzip"]);
        await using var unpacked = new GZipStream(await packed.Content.ReadAsStreamAsync(), CompressionMode.Decompress);
        (await new StreamReader(unpacked).ReadToEndAsync()).ShouldBe(plain);
        using var small = await fixture.Tenant.Client.GetAsync("/v1/me");
        small.Content.Headers.ContentEncoding.ShouldBeEmpty();
    }

    private static async Task<List<(string Kind, JsonElement Data)>> Lines(HttpClient client, string path)
    {
        using var answer = await client.GetAsync(path);
        answer.StatusCode.ShouldBe(HttpStatusCode.OK);
        answer.Content.Headers.ContentType!.MediaType.ShouldBe("application/x-ndjson");
        return Lines(await answer.Content.ReadAsStringAsync());
    }

    private static List<(string Kind, JsonElement Data)> Lines(string text) =>
    [
        .. text.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => JsonElement.Parse(line)).Select(line => (line.GetProperty("kind").GetString()!, line.GetProperty("data"))),
    ];
}
