using System.Net;
using Microsoft.Extensions.DependencyInjection;
using NetAutomation.History.Retain;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.History;

public sealed class ForgetConfigsTests(HistoryFixture fixture) : IClassFixture<HistoryFixture>
{
    private const string Path = "/v1/config-retention";

    [Fact]
    public async Task Configs_beyond_the_count_go_with_their_texts_and_the_others_stay_readable()
    {
        var (tenant, devices) = await fixture.Tenant();
        var texts = Enumerable.Range(0, 150).Select(day => $"hostname r1\nip route 10.0.0.0/8 192.0.2.{day}\n").ToList();
        foreach (var text in texts)
        {
            await fixture.Keep(tenant, devices[0], text);
        }

        foreach (var count in new[] { 149, 100, 40, 1 })
        {
            await Put(tenant.Client, 396, count);
            await Forget();

            var configs = await HistoryFixture.Configs(tenant.Client, devices[0]);
            configs.Select(config => config.Number("version")).ShouldBe(Enumerable.Range(151 - count, count).Reverse());
            foreach (var config in configs)
            {
                (await HistoryFixture.Text(tenant.Client, devices[0], config)).ShouldBe(texts[config.Number("version") - 1]);
            }

            (await Stored(devices[0])).ShouldBe(count);
        }
    }

    [Fact]
    public async Task Configs_beyond_the_age_go_but_for_the_newest()
    {
        var (tenant, devices) = await fixture.Tenant();
        foreach (var days in new[] { 30, 20, 10 })
        {
            await fixture.Keep(tenant, devices[0], $"hostname r{days}\n", time: DateTimeOffset.UtcNow.AddDays(-days));
        }

        await Put(tenant.Client, 15, 1000);
        await Forget();
        (await HistoryFixture.Configs(tenant.Client, devices[0])).ShouldHaveSingleItem();
        await Put(tenant.Client, 5, 1000);
        await Forget();
        (await HistoryFixture.Configs(tenant.Client, devices[0])).ShouldHaveSingleItem().Number("version").ShouldBe(3);
    }

    [Fact]
    public async Task Text_that_a_later_config_names_stays()
    {
        var (tenant, devices) = await fixture.Tenant();
        foreach (var text in new[] { "one\n", "two\n", "three\n", "one\n", "four\n" })
        {
            await fixture.Keep(tenant, devices[0], text);
        }

        await Put(tenant.Client, 396, 2);
        await Forget();

        var configs = await HistoryFixture.Configs(tenant.Client, devices[0]);
        configs.Select(config => config.Number("version")).ShouldBe([4, 1]);
        (await HistoryFixture.Text(tenant.Client, devices[0], configs[1])).ShouldBe("one\n");
        (await Stored(devices[0])).ShouldBe(2);
        await fixture.Keep(tenant, devices[0], "two\n");
        (await HistoryFixture.Configs(tenant.Client, devices[0]))[0].Number("version").ShouldBe(5);
    }

    [Fact]
    public async Task Retention_is_an_admins_and_has_bounds()
    {
        var (tenant, _) = await fixture.Tenant();
        var usual = (await tenant.Client.Call("GET", Path)).Must(HttpStatusCode.OK);
        (usual.Json.Number("days"), usual.Json.Number("configs"), usual.ETag).ShouldBe((396, 1000, "\"1\""));
        using var viewer = await fixture.Runs.Host.CreateKey(tenant, MemberRole.Viewer);

        (await viewer.Call("PUT", Path, new { days = 1, configs = 1 }, "*")).Must(HttpStatusCode.Forbidden);
        (await tenant.Client.Call("PUT", Path, new { days = 0, configs = 1 }, "*")).Faults.ShouldBe(["/days out_of_range"]);
        (await tenant.Client.Call("PUT", Path, new { days = 1, configs = 10_001 }, "*")).Faults.ShouldBe(["/configs out_of_range"]);
        (await tenant.Client.Call("PUT", Path, new { days = 1, configs = 1 })).Must(HttpStatusCode.PreconditionRequired);
        (await tenant.Client.Call("PUT", Path, new { days = 90, configs = 50 }, "\"1\"")).Must(HttpStatusCode.OK).ETag.ShouldBe("\"2\"");
        (await tenant.Client.Call("PUT", Path, new { days = 91, configs = 50 }, "\"1\"")).Must(HttpStatusCode.PreconditionFailed);
        var now = (await tenant.Client.Call("GET", Path)).Json;
        (now.Number("days"), now.Number("configs")).ShouldBe((90, 50));
    }

    private static async Task Put(HttpClient client, int days, int configs) =>
        (await client.Call("PUT", Path, new { days, configs }, "*")).Must(HttpStatusCode.OK);

    private async Task Forget()
    {
        await using var scope = fixture.Runs.Host.Services.CreateAsyncScope();
        await ActivatorUtilities.CreateInstance<ForgetConfigs>(scope.ServiceProvider).Run(CancellationToken.None);
    }

    private async Task<long> Stored(DeviceId device) => await fixture.Runs.Scalar<long>(
        $"""
        select 1 + (select count(*) from history.version where device_id = '{device.Value}')
          + (select coalesce(sum(cardinality(versions)), 0)::bigint from history.pack where device_id = '{device.Value}')
        """);
}
