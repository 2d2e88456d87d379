using System.Net;
using System.Security.Cryptography;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.History;

public sealed class HistoryRoomTests(HistoryFixture fixture) : IClassFixture<HistoryFixture>
{
    private const int Size = 30_000;

    [Fact]
    public async Task Restless_device_at_the_limit_loses_its_oldest_and_no_other_device_anything()
    {
        var (tenant, devices) = await fixture.Tenant(2);
        await Limit(tenant, 20 * Size);
        foreach (var day in Enumerable.Range(0, 5))
        {
            await fixture.Keep(tenant, devices[1], $"hostname quiet{day}\n");
        }

        var texts = Enumerable.Range(0, 40).Select(_ => Text()).ToList();
        foreach (var text in texts)
        {
            await fixture.Keep(tenant, devices[0], text);
            (await Used(tenant)).ShouldBeLessThanOrEqualTo(20 * Size);
            (await Used(tenant)).ShouldBe(await Stored(tenant));
        }

        (await HistoryFixture.Configs(tenant.Client, devices[1])).Count.ShouldBe(5);
        var kept = await HistoryFixture.Configs(tenant.Client, devices[0]);
        kept.Select(config => config.Number("version")).ShouldBe(Enumerable.Range(41 - kept.Count, kept.Count).Reverse());
        kept.Count.ShouldBeInRange(6, 20);
        foreach (var config in kept)
        {
            (await HistoryFixture.Text(tenant.Client, devices[0], config)).ShouldBe(texts[config.Number("version") - 1]);
        }

        var told = (await tenant.Client.Call("GET", "/v1/audit?limit=200")).Json.GetProperty("items").EnumerateArray()
            .Where(entry => entry.Word("action") == "config.forgotten").ToList();
        told.ShouldAllBe(entry => entry.Word("subject") == $"{devices[0]}" && entry.GetProperty("data").Word("limit") == "history_bytes");
        told.Sum(entry => entry.GetProperty("data").Number("configs")).ShouldBe(40 - kept.Count);
    }

    [Fact]
    public async Task Newest_text_and_what_a_run_under_way_goes_back_to_stay_above_the_limit()
    {
        var (tenant, devices) = await fixture.Tenant();
        await fixture.Runs.Post(tenant.Client, "/v1/purchases", new { block = "static-routes", kind = "pay_per_use" });
        var run = await fixture.Runs.StartRun(client: tenant.Client);
        await Limit(tenant, 1);
        var (before, newest) = (Text(), Text());
        await fixture.Keep(tenant, devices[0], Text());

        await fixture.Keep(tenant, devices[0], before, run: run, writes: true);
        await fixture.Keep(tenant, devices[0], Text());
        await fixture.Keep(tenant, devices[0], newest);
        await fixture.Forget();

        var configs = await HistoryFixture.Configs(tenant.Client, devices[0]);
        configs.Select(config => config.Word("kind")).ShouldBe(["backup", "before"]);
        (await HistoryFixture.Text(tenant.Client, devices[0], configs[0])).ShouldBe(newest);
        (await HistoryFixture.Text(tenant.Client, devices[0], configs[1])).ShouldBe(before);
        (await Used(tenant)).ShouldBe(await Stored(tenant));
    }

    [Fact]
    public async Task Limit_that_was_lowered_is_met_within_an_hour()
    {
        var (tenant, devices) = await fixture.Tenant(7);
        foreach (var device in devices.SelectMany(device => Enumerable.Repeat(device, 4)))
        {
            await fixture.Keep(tenant, device, Text());
        }

        await Limit(tenant, 10 * Size);
        await fixture.Forget();

        (await Used(tenant)).ShouldBeLessThanOrEqualTo(10 * Size);
        foreach (var device in devices)
        {
            (await HistoryFixture.Configs(tenant.Client, device))[0].Number("version").ShouldBe(4);
        }
    }

    [Fact]
    public async Task What_is_counted_is_what_is_stored_whatever_was_folded_forgotten_or_deleted()
    {
        var (tenant, devices) = await fixture.Tenant(2);
        for (var day = 0; day < 150; day++)
        {
            await fixture.Keep(tenant, devices[0], $"hostname r1\nip route 10.0.0.0/8 192.0.2.{day % 120}\n");
        }

        await fixture.Keep(tenant, devices[1], Text(), Text(), writes: true);
        (await Used(tenant)).ShouldBe(await Stored(tenant));
        foreach (var configs in new[] { 100, 60, 3 })
        {
            (await tenant.Client.Call("PUT", "/v1/config-retention", new { days = 396, configs }, "*")).Must(HttpStatusCode.OK);
            await fixture.Forget();
            (await Used(tenant)).ShouldBe(await Stored(tenant));
        }

        (await tenant.Client.Call("DELETE", $"/v1/devices/{devices[1]}", ifMatch: "*")).Must(HttpStatusCode.NoContent);
        (await Used(tenant)).ShouldBe(await Stored(tenant));
    }

    // Nothing makes it smaller.
    private static string Text() => RandomNumberGenerator.GetHexString(2 * Size);

    private async Task Limit(TestTenant tenant, long max) => (await fixture.Runs.Host.Operator().Call(
        "PUT", $"/operator/v1/tenants/{tenant.Id}/limits/history_bytes", new { max, reason = "they asked" })).Must(HttpStatusCode.OK);

    private static async Task<long> Used(TestTenant tenant) => (await tenant.Client.Call("GET", "/v1/limits")).Must(HttpStatusCode.OK)
        .Json.GetProperty("items").EnumerateArray().Single(item => item.Word("limit") == "history_bytes")
        .GetProperty("used").GetInt64();

    private Task<long> Stored(TestTenant tenant) => fixture.Runs.Scalar<long>(
        $"""
        select coalesce(sum(bytes), 0)::bigint from (
          select octet_length(whole) as bytes from history.device where tenant_id = '{tenant.Id.Value}'
          union all select octet_length(delta) from history.version where tenant_id = '{tenant.Id.Value}'
          union all select octet_length(box) from history.pack where tenant_id = '{tenant.Id.Value}') b
        """);
}
