using System.Net;
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
            await fixture.Forget();

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
        await fixture.Forget();
        (await HistoryFixture.Configs(tenant.Client, devices[0])).ShouldHaveSingleItem();
        await Put(tenant.Client, 5, 1000);
        await fixture.Forget();
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
        await fixture.Forget();

        var configs = await HistoryFixture.Configs(tenant.Client, devices[0]);
        configs.Select(config => config.Number("version")).ShouldBe([4, 1]);
        (await HistoryFixture.Text(tenant.Client, devices[0], configs[1])).ShouldBe("one\n");
        (await Stored(devices[0])).ShouldBe(2);
        await fixture.Keep(tenant, devices[0], "two\n");
        (await HistoryFixture.Configs(tenant.Client, devices[0]))[0].Number("version").ShouldBe(5);
    }

    [Fact]
    public async Task Texts_are_counted_and_not_how_often_one_was_read()
    {
        var (tenant, devices) = await fixture.Tenant();
        var time = DateTimeOffset.UtcNow.AddHours(-200);
        foreach (var (hours, text) in new[] { (60, "one\n"), (60, "two\n"), (60, "one\n"), (1, "three\n") })
        {
            for (var hour = 0; hour < hours; hour++, time = time.AddHours(1))
            {
                await fixture.Keep(tenant, devices[0], text, time: time);
            }
        }

        await Put(tenant.Client, 396, 3);
        await fixture.Forget();

        var configs = await HistoryFixture.Configs(tenant.Client, devices[0]);
        configs.Select(config => config.Number("version")).ShouldBe([3, 1, 2]);
        configs.Select(config => config.Number("readings")).ShouldBe([1, 60, 60]);
    }

    [Fact]
    public async Task Rows_of_one_text_that_were_written_before_texts_were_counted_are_one()
    {
        var (tenant, devices) = await fixture.Tenant();
        foreach (var text in new[] { "one\n", "two\n", "three\n" })
        {
            await fixture.Keep(tenant, devices[0], text);
        }

        await fixture.Runs.Sql(
            """
            insert into history.config (tenant_id, device_id, id, run_id, version, added, removed, kind, platform)
            select tenant_id, device_id, (left(id::text, 14) || right(gen_random_uuid()::text, 22))::uuid, run_id, version, 0, 0, kind,
              platform
            from history.config, generate_series(1, 20) where device_id = $1 and version > 1
            """,
            devices[0].Value);
        await Put(tenant.Client, 396, 2);
        await fixture.Forget();

        (await HistoryFixture.Configs(tenant.Client, devices[0])).CountBy(config => config.Number("version")).ToDictionary()
            .ShouldBe(new Dictionary<int, int> { [2] = 21, [3] = 21 }, ignoreOrder: true);
    }

    [Fact]
    public async Task What_was_before_and_after_a_change_goes_by_age_alone()
    {
        var (tenant, devices) = await fixture.Tenant();
        var time = DateTimeOffset.UtcNow.AddDays(-20);
        await fixture.Keep(tenant, devices[0], "old\n", "older\n", writes: true, time: time);
        time = time.AddDays(18);
        await fixture.Keep(tenant, devices[0], "one\n", "two\n", writes: true, time: time);
        for (var hour = 1; hour < 20; hour++)
        {
            await fixture.Keep(tenant, devices[0], $"hour {hour}\n", time: time.AddHours(hour));
        }

        await Put(tenant.Client, 10, 5);
        await fixture.Forget();

        var configs = await HistoryFixture.Configs(tenant.Client, devices[0]);
        configs.Select(config => config.Word("kind")).ShouldBe([.. Enumerable.Repeat("backup", 5), "after", "before"]);
        (await HistoryFixture.Text(tenant.Client, devices[0], configs[^1])).ShouldBe("one\n");
        (await HistoryFixture.Text(tenant.Client, devices[0], configs[^2])).ShouldBe("two\n");
    }

    [Fact]
    public async Task Text_that_was_read_again_lately_is_not_old()
    {
        var (tenant, devices) = await fixture.Tenant();
        foreach (var (days, text) in new[] { (40, "gone\n"), (30, "one\n"), (10, "one\n"), (5, "two\n") })
        {
            await fixture.Keep(tenant, devices[0], text, time: DateTimeOffset.UtcNow.AddDays(-days));
        }

        await Put(tenant.Client, 15, 1000);
        await fixture.Forget();

        (await HistoryFixture.Configs(tenant.Client, devices[0])).Select(config => config.Number("version")).ShouldBe([3, 2]);
    }

    [Fact]
    public async Task Device_whose_texts_cannot_be_read_stops_no_other_one()
    {
        var (tenant, devices) = await fixture.Tenant(2);
        foreach (var device in devices)
        {
            await fixture.Keep(tenant, device, "one\n");
            await fixture.Keep(tenant, device, "two\n");
            await fixture.Keep(tenant, device, "three\n");
        }

        await fixture.Runs.Sql("update history.version set delta = 'broken' where device_id = $1", devices.Min().Value);
        await Put(tenant.Client, 396, 1);
        await Should.ThrowAsync<AggregateException>(fixture.Forget);

        (await HistoryFixture.Configs(tenant.Client, devices.Min())).Count.ShouldBe(3);
        (await HistoryFixture.Configs(tenant.Client, devices.Max())).ShouldHaveSingleItem();
        await fixture.Runs.Sql("update history.device set looked_at = now() where device_id = $1", devices.Min().Value);
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

    private async Task<long> Stored(DeviceId device) => await fixture.Runs.Scalar<long>(
        $"""
        select 1 + (select count(*) from history.version where device_id = '{device.Value}')
          + (select coalesce(sum(cardinality(versions)), 0)::bigint from history.pack where device_id = '{device.Value}')
        """);
}
