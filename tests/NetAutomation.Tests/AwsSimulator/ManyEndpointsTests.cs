using System.Text.Json;
using Microsoft.Extensions.Time.Testing;
using NetAutomation.AwsSimulator;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.AwsSimulator;

/// <summary>Changes of thousands of endpoints by the control API, as EC2 shows them.</summary>
public sealed class ManyEndpointsTests
{
    private static readonly DateTimeOffset _noon = new(2026, 6, 1, 12, 0, 0, TimeSpan.Zero);

    [Fact]
    public async Task Ten_thousand_are_made_paged_and_decided()
    {
        await using var cloud = await SimulatedCloud.StartAsync(Open());
        var created = await BulkAsync(cloud, new { accounts = new[] { SimulatedCloud.Customer, SimulatedCloud.Stranger }, count = 10_000 });
        var pages = await PagesAsync(cloud);
        pages.Select(page => page.Count).ShouldBe(Enumerable.Repeat(1000, 10));
        pages.SelectMany(page => page).Select(row => row.Id).ShouldBe(created);
        pages.SelectMany(page => page).Count(row => row.Owner == SimulatedCloud.Stranger).ShouldBe(5000);

        foreach (var chunk in created.Chunk(100))
        {
            var (_, body) =
                await cloud.QueryAsync(
                    SimulatedCloud.Provider, "ec2", $"Action=AcceptVpcEndpointConnections&ServiceId={SimulatedCloud.ServiceId}&"
                + string.Join('&', chunk.Select((id, i) => $"VpcEndpointId.{i + 1}={id}")));
            SimulatedCloud.Values(body, "code").ShouldBeEmpty();
        }

        await Eventually.Holds(
            async () => (await PagesAsync(cloud)).SelectMany(page => page).All(row => row.State == "available"));
    }

    [Fact]
    public async Task A_share_is_deleted_or_made_again_by_another_owner()
    {
        var clock = new FakeTimeProvider(_noon);
        await using var cloud = await SimulatedCloud.StartAsync(Open(), clock);
        await BulkAsync(cloud, new { account = SimulatedCloud.Customer, count = 1000, state = "available" });
        var deleted = Ids(await cloud.ControlAsync(HttpMethod.Post, "/control/endpoints:delete", new { share = 0.1, seed = 7 }));
        deleted.Count.ShouldBeInRange(50, 150);
        var taken =
            Ids(await cloud.ControlAsync(
                HttpMethod.Post, "/control/endpoints:recreate",
                new { share = 0.1, seed = 7, states = new[] { "available" }, owner = SimulatedCloud.Stranger }));
        clock.Advance(TimeSpan.FromSeconds(1));

        var rows = (await PagesAsync(cloud)).SelectMany(page => page).ToList();
        rows.Where(row => row.State == "deleted").Select(row => row.Id).ShouldBe(deleted, ignoreOrder: true);
        rows.Where(row => row.Owner == SimulatedCloud.Stranger)
            .ShouldBe(taken.Select(id => (id, SimulatedCloud.Stranger, "pendingAcceptance")), ignoreOrder: true);
        rows.Select(row => row.Id).ShouldBeUnique();

        await cloud.ControlAsync(HttpMethod.Post, "/control/endpoints:put", new { vpceIds = taken.Take(2), state = "failed" });
        (await cloud.StateAsync(taken[0])).ShouldBe("failed");
        clock.Advance(TimeSpan.FromHours(1));
        (await PagesAsync(cloud)).Sum(page => page.Count).ShouldBe(1000 - deleted.Count);
    }

    [Fact]
    public async Task The_provider_sees_a_change_later_than_its_owner()
    {
        var clock = new FakeTimeProvider(_noon);
        var options = Open();
        await using var cloud =
            await SimulatedCloud.StartAsync(options with { Ec2 = new Ec2Options { VisibilityMilliseconds = 500 } }, clock);
        var (id, _) = await cloud.CreateEndpointAsync(accepted: false);
        var hidden = (await BulkAsync(cloud, new { account = SimulatedCloud.Customer, count = 1, visibleAfterMilliseconds = 5000 }))
            .Single();
        (await cloud.StateAsync(id)).ShouldBeNull();
        clock.Advance(TimeSpan.FromMilliseconds(500));
        (await cloud.StateAsync(id)).ShouldBe("pendingAcceptance");
        (await cloud.DecideAsync("Accept", id)).ShouldBeEmpty();
        clock.Advance(TimeSpan.FromMilliseconds(100));
        (await cloud.StateAsync(id)).ShouldBe("pendingAcceptance", "what was decided is not shown yet");
        (await cloud.DecideAsync("Accept", id)).ShouldBe("InvalidState");
        clock.Advance(TimeSpan.FromMilliseconds(500));
        (await cloud.StateAsync(id)).ShouldBe("available");
        (await cloud.StateAsync(hidden)).ShouldBeNull();
        clock.Advance(TimeSpan.FromSeconds(4));
        (await cloud.StateAsync(hidden)).ShouldBe("pendingAcceptance");
    }

    [Fact]
    public async Task Calls_beyond_the_bucket_are_throttled_until_it_is_filled_again()
    {
        var clock = new FakeTimeProvider(_noon);
        await using var cloud =
            await SimulatedCloud.StartAsync(Open() with { Ec2 = new Ec2Options { BucketCapacity = 3, RefillPerSecond = 2 } }, clock);
        var codes = new List<int>();
        for (var i = 0; i < 5; i++)
        {
            codes.Add(await StatusAsync());
        }

        codes.ShouldBe([200, 200, 200, 503, 503]);
        clock.Advance(TimeSpan.FromSeconds(0.5));
        (await StatusAsync()).ShouldBe(200);
        (await StatusAsync()).ShouldBe(503);

        async Task<int> StatusAsync() =>
            (await cloud.QueryAsync(SimulatedCloud.Provider, "ec2", "Action=DescribeVpcEndpointConnections")).Status;
    }

    [Fact]
    public async Task Events_of_AWS_get_lost_repeated_and_reordered_as_the_seed_says()
    {
        var first = await ArrivedAsync(3);
        (await ArrivedAsync(3)).ShouldBe(first);
        (await ArrivedAsync(4)).SequenceEqual(first).ShouldBeFalse();
        first.Distinct().Count().ShouldBeLessThan(100, "some get lost");
        first.Count.ShouldBeGreaterThan(first.Distinct().Count(), "some come twice");
        first.SequenceEqual(first.Order()).ShouldBeFalse("some come before earlier ones");

        static async Task<List<int>> ArrivedAsync(int seed)
        {
            var clock = new FakeTimeProvider(_noon);
            var options = SimulatedCloud.Options();
            await using var cloud = await SimulatedCloud.StartAsync(
                options with
                {
                    Queues = ["events"],
                    QueueFaults =
                        new Dictionary<string, QueueFaults>
                        {
                            ["events"] =
                                new()
                                {
                                    DropPercent = 20, DuplicatePercent = 20, DelayPercent = 20, DelayMilliseconds = 1000,
                                    ReorderPercent = 20, Seed = seed
                                }
                        },
                },
                clock);
            var agreements = new List<string>();
            for (var i = 0; i < 100; i++)
            {
                agreements.Add(
                    (await cloud.ControlAsync(HttpMethod.Post, "/control/subscriptions", new { account = SimulatedCloud.Customer }, 201))
                        .GetProperty("id").GetString()!);
            }

            clock.Advance(TimeSpan.FromSeconds(2));
            var arrived = new List<int>();
            while (true)
            {
                var (_, body) =
                    await cloud.JsonAsync(
                        SimulatedCloud.Provider, "sqs", "AmazonSQS.ReceiveMessage", new { cloud.QueueUrl, MaxNumberOfMessages = 10 });
                if (!body.TryGetProperty("Messages", out var messages))
                {
                    return arrived;
                }

                arrived.AddRange(messages.EnumerateArray().Select(m => JsonDocument.Parse(m.GetProperty("Body").GetString()!).RootElement)
                    .Select(e => agreements.IndexOf(e.GetProperty("detail").GetProperty("agreement").GetProperty("id").GetString()!)));
            }
        }
    }

    [Fact]
    public async Task Notices_of_a_legacy_product_tell_its_life_in_either_spelling()
    {
        var options = SimulatedCloud.Options();
        await using var cloud =
            await SimulatedCloud.StartAsync(
                options with { Marketplace = options.Marketplace with { LegacyProducts = ["old"], NoticeQueue = "events" } });
        var bought =
            await cloud.ControlAsync(
                HttpMethod.Post, "/control/subscriptions", new { account = SimulatedCloud.Customer, productCode = "old" }, 201);
        foreach (var step in new[] { "fail", "activate", "amend", "end?raw=true", "deprovision?raw=true&pascalCase=true" })
        {
            await cloud.ControlAsync(HttpMethod.Post, $"/control/subscriptions/{bought.GetProperty("id").GetString()}:{step}", new { });
        }

        var (_, body) =
            await cloud.JsonAsync(
                SimulatedCloud.Provider, "sqs", "AmazonSQS.ReceiveMessage", new { cloud.QueueUrl, MaxNumberOfMessages = 10 });
        var notices = body.GetProperty("Messages").EnumerateArray()
            .Select(m => JsonDocument.Parse(m.GetProperty("Body").GetString()!).RootElement)
            .Select(m => m.TryGetProperty("Message", out var inner) ? JsonDocument.Parse(inner.GetString()!).RootElement : m).ToList();
        notices.Select(n => (n.TryGetProperty("action", out var a) ? a : n.GetProperty("Action")).GetString()).ShouldBe(
            ["subscribe-fail", "subscribe-success", "entitlement-updated", "unsubscribe-pending", "unsubscribe-success"]);
        notices.Select(n => (n.TryGetProperty("customer-identifier", out var c) ? c : n.GetProperty("CustomerIdentifier")).GetString())
            .ShouldAllBe(who => who == bought.GetProperty("customerIdentifier").GetString());
    }

    private static SimulatorOptions Open()
    {
        var options = SimulatedCloud.Options();
        return options with { Services = [options.Services[0] with { AllowedPrincipals = ["*"] }] };
    }

    private static async Task<List<string>> BulkAsync(SimulatedCloud cloud, object request) =>
        [.. (await cloud.ControlAsync(HttpMethod.Post, "/control/endpoints:bulk", request, 201)).GetProperty("endpoints").EnumerateArray()
            .Select(e => e.GetProperty("vpceId").GetString()!)];

    private static List<string> Ids(JsonElement changed) =>
        [.. changed.GetProperty("vpceIds").EnumerateArray().Select(id => id.GetString()!)];

    private static async Task<List<List<(string Id, string Owner, string State)>>> PagesAsync(SimulatedCloud cloud)
    {
        var pages = new List<List<(string, string, string)>>();
        string? token = null;
        do
        {
            var (status, page) =
                await cloud.QueryAsync(
                    SimulatedCloud.Provider, "ec2",
                    "Action=DescribeVpcEndpointConnections&MaxResults=1000"
                        + (token is null ? "" : "&NextToken=" + Uri.EscapeDataString(token)));
            status.ShouldBe(200);
            pages.Add(
                [.. SimulatedCloud.Values(page, "vpcEndpointId")
                    .Zip(SimulatedCloud.Values(page, "vpcEndpointOwner"), SimulatedCloud.Values(page, "vpcEndpointState"))]);
            token = SimulatedCloud.Values(page, "nextToken").SingleOrDefault();
        }
        while (token is not null);
        return pages;
    }
}
