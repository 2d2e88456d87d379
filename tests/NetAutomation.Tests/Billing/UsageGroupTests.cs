using System.Net;
using System.Text.Json;
using NetAutomation.Runs;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Billing;

public sealed class UsageGroupTests(PostgresServer postgres)
{
    [Fact]
    public async Task Every_grouping_adds_up_to_the_charges_of_runs()
    {
        await using var books = await BooksFixture.Open(postgres);
        await books.Run(DeviceOutcome.Changed, DeviceOutcome.Failed);
        var second = await books.Run();
        await books.Debit(1_000_000);
        (await books.Reverse(
            (await books.Charges($"&runId={second}")).First(charge => charge.Text("sku").EndsWith("/device", StringComparison.Ordinal))
                .Text("id"))).Must(HttpStatusCode.Created);
        // 0.10 + 2 × 0.05, and 0.10 of the second run, whose device charges were reversed.
        foreach (var by in new[] { "block", "device", "day", "block,device", "device,day", "block,device,day" })
        {
            var groups = await Read(books, by);
            groups.Sum(group => group.Micros("cost")).ShouldBe(300_000, by);
            groups.Sum(group => group.GetProperty("runs").GetInt64()).ShouldBe(2, by);
            groups.Sum(group => group.GetProperty("devices").GetInt64()).ShouldBe(2, by);
        }

        var devices = (await Read(books, "device")).Where(group => group.GetProperty("deviceId").ValueKind != JsonValueKind.Null)
            .ToDictionary(group => group.Text("deviceId"), group => group.Micros("cost"));
        devices[books.Fixture.Devices[0].ToString()].ShouldBe(50_000);
        devices[books.Fixture.Devices[1].ToString()].ShouldBe(0);
        (await Read(books, "block")).Single().Text("block").ShouldBe("static-routes");
    }

    [Fact]
    public async Task Pages_hold_every_group_once()
    {
        await using var books = await BooksFixture.Open(postgres);
        await books.Run();
        await books.AMonthPasses();
        await books.Run();
        var range = $"from={DateTime.UtcNow.AddDays(-70):yyyy-MM-ddTHH:mm:ssZ}";
        var whole = await Read(books, "device,day", range);
        whole.Count.ShouldBe(8);
        whole[0].Text("day").ShouldBe($"{DateTime.UtcNow:yyyy-MM-dd}");
        var (paged, after) = (new List<string>(), "");
        do
        {
            var page = (await books.Customer.Call("GET", $"/v1/usage?groupBy=device,day&limit=3&{range}{after}"))
                .Must(HttpStatusCode.OK).Json;
            paged.AddRange(page.GetProperty("items").EnumerateArray().Select(group => group.GetRawText()));
            after = page.GetProperty("next").GetString() is { } next ? $"&after={next}" : "";
        }
        while (after.Length > 0);
        paged.ShouldBe(whole.Select(group => group.GetRawText()));
        (await Read(books, "device", $"{range}&to={DateTime.UtcNow.AddDays(-20):yyyy-MM-ddTHH:mm:ssZ}")).Count.ShouldBe(4);
    }

    [Theory]
    [InlineData("groupBy=router")]
    [InlineData("groupBy=")]
    [InlineData("groupBy=day,day")]
    [InlineData("groupBy=day&from=2020-01-01T00:00:00Z")]
    public async Task An_invalid_grouping_is_refused(string query)
    {
        await using var books = await BooksFixture.Open(postgres, devices: 1);
        (await books.Customer.Call("GET", $"/v1/usage?{query}")).Must(HttpStatusCode.UnprocessableEntity);
    }

    private static async Task<IReadOnlyList<JsonElement>> Read(BooksFixture books, string by, string range = "") =>
        [.. (await books.Customer.Call("GET", $"/v1/usage?groupBy={by}&limit=200&{range}"))
            .Must(HttpStatusCode.OK).Json.GetProperty("items").EnumerateArray()];
}
