using System.Text;
using NetAutomation.History;
using NetAutomation.Runs;
using NetAutomation.Tests.Runs;
using NetAutomation.Tests.Support;
using Npgsql;

namespace NetAutomation.Tests.History;

public sealed class KeepConfigsTests(HistoryFixture fixture, PostgresServer postgres) : IClassFixture<HistoryFixture>
{
    private const string Text = "hostname r1\n!\nip route 10.0.0.0/8 192.0.2.1\n";
    private const string Changed = "hostname r1\n!\nip route 10.0.0.0/8 192.0.2.1\nip route 10.9.0.0/16 192.0.2.1\n";

    [Fact]
    public async Task Run_that_writes_leaves_what_was_before_and_after_with_who_and_why()
    {
        await using var runs = await RunFixture.Start(postgres, 1);
        var device = runs.Devices[0];
        var run = await Worked(runs, device, Text, Changed);

        var configs = await HistoryFixture.Configs(runs.Client, device);
        configs.Select(config => config.Word("kind")).ShouldBe(["after", "before"]);
        configs.Select(config => config.Number("linesAdded")).ShouldBe([1, 3]);
        configs.Select(config => config.Number("linesRemoved")).ShouldBe([0, 0]);
        configs.ShouldAllBe(config => config.Word("runId") == $"{run}" && config.Word("block") == "static-routes"
            && config.Word("member") == "test" && config.GetProperty("createdBy").GetString()!.StartsWith("mem_"));
        configs[0].GetProperty("time").GetDateTimeOffset().ShouldBeGreaterThan(configs[1].GetProperty("time").GetDateTimeOffset());
        (await HistoryFixture.Text(runs.Client, device, configs[0])).ShouldBe(Changed);
        (await HistoryFixture.Text(runs.Client, device, configs[1])).ShouldBe(Text);
    }

    [Fact]
    public async Task Run_that_only_reads_leaves_a_backup()
    {
        await using var runs = await RunFixture.Start(postgres, 1);
        var body = new
        {
            block = "static-routes", mode = "check", targets = new { all = true },
            input = new { routes = new[] { new { prefix = "10.9.0.0/16", nextHop = "10.66.0.1" } } },
        };
        await Worked(runs, runs.Devices[0], Text, null, body);

        (await HistoryFixture.Configs(runs.Client, runs.Devices[0])).ShouldHaveSingleItem().Word("kind").ShouldBe("backup");
    }

    [Fact]
    public async Task Batch_that_is_written_again_keeps_nothing_again_and_a_lost_fence_keeps_nothing()
    {
        await using var runs = await RunFixture.Start(postgres, 1);
        await runs.StartRun();
        var run = (await runs.Claim())!;
        (await runs.Journal(journal => journal.Start(run, default))).ShouldBeTrue();
        var outcome = Outcome(runs.Devices[0], Text, Changed);

        (await runs.Journal(journal => journal.Write(run with { Fence = run.Fence - 1 }, 0, [outcome], default))).ShouldBeFalse();
        (await HistoryFixture.Configs(runs.Client, runs.Devices[0])).ShouldBeEmpty();
        for (var time = 0; time < 2; time++)
        {
            (await runs.Journal(journal => journal.Write(run, 0, [outcome], default))).ShouldBeTrue();
        }

        (await HistoryFixture.Configs(runs.Client, runs.Devices[0])).Count.ShouldBe(2);
    }

    [Fact]
    public async Task Text_that_is_seen_again_is_the_same_version()
    {
        var (tenant, devices) = await fixture.Tenant();
        foreach (var text in new[] { Text, Text, Changed, Text, Changed, Changed })
        {
            await fixture.Keep(tenant, devices[0], text);
        }

        var configs = await HistoryFixture.Configs(tenant.Client, devices[0]);
        configs.Select(config => config.Number("version")).ShouldBe([2, 1, 2, 1]);
        configs.Select(config => (config.Number("linesAdded"), config.Number("linesRemoved"))).ShouldBe([(1, 0), (0, 1), (1, 0), (3, 0)]);
        configs.Select(config => config.Number("readings")).ShouldBe([2, 1, 1, 2]);
        foreach (var config in configs)
        {
            (await HistoryFixture.Text(tenant.Client, devices[0], config)).ShouldBe(config.Number("version") == 1 ? Text : Changed);
        }
    }

    [Fact]
    public async Task Text_that_is_only_read_again_makes_the_one_before_it_last_longer()
    {
        var (tenant, devices) = await fixture.Tenant();
        var time = DateTimeOffset.UtcNow.AddDays(-3);
        await fixture.Keep(tenant, devices[0], Text, Changed, writes: true, time: time);
        await fixture.Keep(tenant, devices[0], Changed, time: time.AddHours(5));
        await fixture.Keep(tenant, devices[0], Changed, time: time.AddHours(9));
        await fixture.Keep(tenant, devices[0], Changed, writes: true, time: time.AddHours(10));
        // The same bytes are another configuration on another platform.
        await fixture.Keep(tenant, devices[0], Changed, platform: "bird", time: time.AddHours(11));

        var configs = await HistoryFixture.Configs(tenant.Client, devices[0]);
        configs.Select(config => config.Word("kind")).ShouldBe(["backup", "before", "after", "before"]);
        configs.Select(config => config.Number("readings")).ShouldBe([1, 1, 3, 1]);
        configs[2].GetProperty("lastSeen").GetDateTimeOffset().ShouldBe(time.AddHours(9), TimeSpan.FromMilliseconds(2));
        configs[3].GetProperty("lastSeen").GetDateTimeOffset().ShouldBe(configs[3].GetProperty("time").GetDateTimeOffset());
    }

    [Fact]
    public async Task Timeline_is_filtered_by_change_time_kind_and_run()
    {
        var (tenant, devices) = await fixture.Tenant();
        var (time, run) = (DateTimeOffset.UtcNow.AddDays(-3), RunId.New());
        await fixture.Keep(tenant, devices[0], Text, time: time);
        await fixture.Keep(tenant, devices[0], Text, time: time.AddHours(4));
        await fixture.Keep(tenant, devices[0], Text, Changed, run: run, writes: true, time: time.AddHours(6));
        await fixture.Keep(tenant, devices[0], Text, time: time.AddHours(8));

        foreach (var (query, kinds) in new[]
        {
            ("", "backup after before backup"), ("&changed=true", "backup after backup"), ("&changed=false", "before"),
            ("&kind=backup", "backup backup"), ("&kind=after", "after"), ($"&runId={run}", "after before"),
            ($"&from={Hour(7)}", "backup"), ($"&from={Hour(3)}&to={Hour(7)}", "after before backup"), ($"&to={Hour(5)}", "backup"),
            ($"&from={Hour(5)}&to={Hour(7)}&changed=true", "after"), ($"&to={Hour(-1)}", ""), ($"&runId={RunId.New()}", ""),
        })
        {
            var found = await HistoryFixture.Configs(tenant.Client, devices[0], query);
            string.Join(' ', found.Select(config => config.Word("kind"))).ShouldBe(kinds, query);
        }

        var path = $"/v1/devices/{devices[0]}/configs";
        (await tenant.Client.Call("GET", $"{path}?kind=other")).Must(System.Net.HttpStatusCode.UnprocessableEntity)
            .Faults.ShouldBe(["/kind unknown"]);
        var next = (await tenant.Client.Call("GET", $"{path}?limit=1&changed=true")).Json.Word("next");
        (await tenant.Client.Call("GET", $"{path}?limit=1&changed=true&after={next}")).Json.GetProperty("items")[0].Word("kind")
            .ShouldBe("after");

        string Hour(int hour) => Uri.EscapeDataString($"{time.AddHours(hour):O}");
    }

    [Fact]
    public async Task Text_is_read_while_it_moves_into_a_pack()
    {
        var (tenant, devices) = await fixture.Tenant();
        await fixture.Keep(tenant, devices[0], "hostname first\n");
        var first = (await HistoryFixture.Configs(tenant.Client, devices[0]))[0];
        var keeps = Task.Run(async () =>
        {
            for (var day = 0; day < 200; day++)
            {
                await fixture.Keep(tenant, devices[0], $"hostname r{day}\n");
            }
        });
        do
        {
            (await HistoryFixture.Text(tenant.Client, devices[0], first)).ShouldBe("hostname first\n");
        }
        while (!keeps.IsCompleted);
        await keeps;
    }

    [Fact]
    public async Task Every_one_of_many_versions_is_read_back_byte_for_byte()
    {
        var (tenant, devices) = await fixture.Tenant();
        var random = new Random(11);
        var lines = Enumerable.Range(0, 200).Select(number => $"ip route 10.{number}.0.0/16 192.0.2.1 tag {random.Next()}").ToArray();
        var texts = new List<string>();
        for (var day = 0; day < 400; day++)
        {
            lines[random.Next(lines.Length)] = $"ip route 10.0.0.0/8 192.0.2.{day} name caf\u00e9-{random.Next()}";
            texts.Add(string.Join('\n', lines) + "\n");
            await fixture.Keep(tenant, devices[0], texts[^1]);
        }

        var configs = await HistoryFixture.Configs(tenant.Client, devices[0]);
        configs.Count.ShouldBe(400);
        foreach (var number in Enumerable.Range(0, 400).Where(number => number % 13 == 0 || number is 63 or 64 or 255 or 256 or 320 or 399))
        {
            (await HistoryFixture.Text(tenant.Client, devices[0], configs[399 - number], raw: true)).ShouldBe(texts[number], $"{number}");
        }

        // A text of a pack is known again.
        await fixture.Keep(tenant, devices[0], texts[5]);
        (await HistoryFixture.Configs(tenant.Client, devices[0]))[0].Number("version").ShouldBe(6);
        (await Count("history.pack", devices[0])).ShouldBe(2);
        (await Count("history.version", devices[0])).ShouldBeLessThan(64);
    }

    [Fact]
    public async Task First_texts_that_are_kept_at_the_same_time_are_one_after_the_other()
    {
        var (tenant, devices) = await fixture.Tenant();

        await Task.WhenAll(Enumerable.Range(0, 8).Select(number => fixture.Keep(tenant, devices[0], number % 2 == 0 ? Text : Changed)));

        var configs = await HistoryFixture.Configs(tenant.Client, devices[0]);
        configs.Sum(config => config.Number("readings")).ShouldBe(8);
        configs.Select(config => config.Number("version")).Distinct().Order().ShouldBe([1, 2]);
    }

    [Fact]
    public async Task Nothing_in_the_database_shows_a_text_or_that_two_are_equal()
    {
        var ((one, ones), (two, twos)) = (await fixture.Tenant(2), await fixture.Tenant());
        const string planted = "planted-line-of-a-configuration";
        foreach (var (tenant, device) in new[] { (one, ones[0]), (one, ones[1]), (two, twos[0]) })
        {
            foreach (var text in new[] { planted + "\n", planted + "\nand another\n" })
            {
                await fixture.Keep(tenant, device, text);
            }
        }

        await using var source = NpgsqlDataSource.Create(fixture.Runs.Database.Owner);
        await using var command = source.CreateCommand(
            """
            select encode(whole, 'hex'), digest::text, device_id from history.device
            union all select encode(delta, 'hex'), digest::text, device_id from history.version
            """);
        await using var reader = await command.ExecuteReaderAsync();
        var (hex, seen) = (Convert.ToHexStringLower(Encoding.UTF8.GetBytes(planted)), new List<string>());
        while (await reader.ReadAsync())
        {
            reader.GetString(0).ShouldNotContain(hex);
            if (ones.Append(twos[0]).Any(device => device.Value == reader.GetGuid(2)))
            {
                seen.AddRange([reader.GetString(0), reader.GetString(1)]);
            }
        }

        seen.Count.ShouldBe(12);
        seen.ShouldBeUnique();
    }

    [Fact]
    public async Task Device_that_is_deleted_takes_its_configurations_along()
    {
        var (tenant, devices) = await fixture.Tenant();
        await fixture.Keep(tenant, devices[0], Text, Changed, writes: true);

        (await tenant.Client.Call("DELETE", $"/v1/devices/{devices[0]}", ifMatch: "*")).Must(System.Net.HttpStatusCode.NoContent);
        // A run that only reads may still be under way.
        await fixture.Keep(tenant, devices[0], Text);

        foreach (var table in new[] { "history.device", "history.version", "history.config" })
        {
            (await Count(table, devices[0])).ShouldBe(0, table);
        }
    }

    private async Task<long> Count(string table, DeviceId device) =>
        await fixture.Runs.Scalar<long>($"select count(*) from {table} where device_id = '{device.Value}'");

    private static async Task<RunId> Worked(RunFixture runs, DeviceId device, string before, string? after, object? body = null)
    {
        var id = await runs.StartRun(body);
        var run = (await runs.Claim())!;
        (await runs.Journal(journal => journal.Start(run, default))).ShouldBeTrue();
        (await runs.Write(run, RunFixture.Started(device), Outcome(device, before, after))).ShouldBeTrue();
        (await runs.Finish(run)).ShouldBeTrue();
        return id;
    }

    private static RunEvent Outcome(DeviceId device, string before, string? after)
    {
        var plain = RunFixture.Reported(device, after is null ? DeviceOutcome.Ok : DeviceOutcome.Changed);
        var texts = new DeviceTexts("frr", Encoding.UTF8.GetBytes(before), after is null ? null : Encoding.UTF8.GetBytes(after));
        return plain with { Report = plain.Report! with { Texts = texts } };
    }
}
