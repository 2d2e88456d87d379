using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using NetAutomation.Tests.Support;
using Npgsql;

namespace NetAutomation.Tests.Runs;

/// <summary>No answer holds more than some megabytes, however much customers and blocks wrote.</summary>
public sealed class LongPageTests(PostgresServer postgres)
{
    private const int Large = 300_000;
    private const int LongestPage = 2 * 1024 * 1024;

    [Fact]
    public async Task A_page_of_runs_with_large_inputs_ends_early_and_the_pages_hold_every_run()
    {
        await using var fixture = await RunFixture.Start(postgres, 1);
        var runs = new List<string>();
        for (var i = 0; i < 12; i++)
        {
            runs.Insert(0, $"{await fixture.StartRun()}");
        }

        await Change(fixture, $"update runs.run set input = jsonb_build_object('text', repeat('x', {Large}))");
        await ShouldListInPages(fixture, "/v1/runs", item => $"{item["id"]}", runs);
    }

    [Fact]
    public async Task A_page_of_devices_with_large_results_ends_early_and_the_pages_hold_every_device()
    {
        await using var fixture = await RunFixture.Start(postgres, 12);
        var run = await fixture.StartRun();
        await Change(fixture, $"update runs.run_device set result = jsonb_build_object('text', repeat('x', {Large}))");
        await ShouldListInPages(
            fixture, $"/v1/runs/{run}/devices", item => $"{item["deviceId"]}",
            [.. fixture.Devices.Reverse().Select(device => $"{device}")]);
    }

    [Fact]
    public async Task An_artifact_is_read_in_parts_whole_and_by_ranges()
    {
        await using var fixture = await RunFixture.Start(postgres, 1);
        var run = await fixture.StartRun();
        var content = RandomNumberGenerator.GetBytes(1_300_000);
        await fixture.Sql(
            "insert into runs.artifact select $1, $2, $3, 'config.txt', 'text/plain', octet_length($4), sha256($4), $4",
            fixture.Tenant.Id.Value, run.Value, fixture.Devices[0].Value, content);
        var path = $"/v1/runs/{run}/devices/{fixture.Devices[0]}/artifacts/config.txt";
        (await fixture.Client.GetByteArrayAsync(path)).AsSpan().SequenceEqual(content).ShouldBeTrue();
        foreach (var (begin, end) in new[] { (0, 0), (500_000, 1_100_000), (1_299_999, 1_299_999), (524_287, 524_288) })
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, path) { Headers = { Range = new RangeHeaderValue(begin, end) } };
            using var answer = await fixture.Client.SendAsync(request);
            answer.StatusCode.ShouldBe(HttpStatusCode.PartialContent);
            (await answer.Content.ReadAsByteArrayAsync()).AsSpan().SequenceEqual(content.AsSpan(begin..(end + 1))).ShouldBeTrue();
        }
    }

    private static async Task ShouldListInPages(
        RunFixture fixture, string path, Func<JsonNode, string> id, List<string> expected)
    {
        var (seen, pages) = (new List<string>(), 0);
        string? after = null;
        do
        {
            var answer = (await fixture.Client.Call("GET", $"{path}?limit=200{(after is null ? "" : $"&after={after}")}"))
                .Must(HttpStatusCode.OK);
            answer.Text.Length.ShouldBeLessThan(LongestPage);
            var page = JsonNode.Parse(answer.Text)!;
            seen.AddRange(page["items"]!.AsArray().Select(item => id(item!)));
            (after, pages) = ((string?)page["next"], pages + 1);
        }
        while (after is not null);

        seen.ShouldBe(expected);
        pages.ShouldBe(expected.Count / 4);
    }

    /// <summary>Changes what runs keep as they were asked for.</summary>
    private static async Task Change(RunFixture fixture, string sql)
    {
        await using var connection = new NpgsqlConnection(fixture.Database.Owner);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand($"set session_replication_role = replica; {sql}", connection);
        await command.ExecuteNonQueryAsync();
    }
}
