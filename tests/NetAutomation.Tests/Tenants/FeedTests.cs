using System.Buffers.Text;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using NetAutomation.Runs;
using NetAutomation.Tests.Runs;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Tenants;

public sealed class FeedTests(PostgresServer postgres)
{
    [Fact]
    public async Task A_reader_sees_deeds_and_the_states_of_runs_in_order_and_goes_on_where_it_was()
    {
        await using var fixture = await RunFixture.Start(postgres, devices: 1);
        var client = fixture.Tenant.Client;
        var start = await AfterThePast(client);

        var run = await fixture.StartRun();
        var claimed = (await fixture.Claim())!;
        await fixture.Work(claimed, DeviceOutcome.Changed);
        var (types, next, items) = await ReadUntil(client, start, "run.succeeded");
        types.ShouldBe(["run.started", "run.queued", "run.claimed", "run.running", "run.succeeded"]);
        items.ShouldAllBe(item => item.GetProperty("subject").GetString() == $"{run}");

        (await client.PostAsJsonAsync("/v1/sites", new { name = "rotterdam" })).StatusCode.ShouldBe(HttpStatusCode.Created);
        var after = await ReadUntil(client, next, "site.created");
        after.Types.ShouldBe(["site.created"]);
        after.Items[0].GetProperty("member").GetString().ShouldBe("test");
        (await Read(client, $"after={after.Next}")).Next.ShouldBe(after.Next);

        // Read one by one, it is the same sequence with the same ids.
        var (all, one) = (await Read(client, ""), new List<string>());
        for (var at = ""; (await Read(client, $"limit=1{at}")) is { Items: [var item] } page; at = $"&after={page.Next}")
        {
            one.Add(item.GetProperty("id").GetString()!);
        }

        one.ShouldBe(all.Items.Select(item => item.GetProperty("id").GetString()!));
        one.ShouldBeUnique();
    }

    [Fact]
    public async Task A_waiting_reader_is_answered_when_something_happens()
    {
        await using var service = await ServiceHost.Start(await postgres.Create());
        var tenant = await service.CreateTenant();
        var waiting = Read(tenant.Client, $"after={await AfterThePast(tenant.Client)}&wait=60");
        (await tenant.Client.PostAsJsonAsync("/v1/sites", new { name = "rotterdam" })).StatusCode.ShouldBe(HttpStatusCode.Created);
        (await waiting).Types.ShouldBe(["site.created"]);
    }

    [Fact]
    public async Task A_waiting_reader_whose_key_is_revoked_is_refused()
    {
        await using var fixture = await RunFixture.Start(postgres, devices: 0);
        using var viewer = await fixture.Host.CreateKey(fixture.Tenant, MemberRole.Viewer);
        var waiting = viewer.GetAsync($"/v1/feed?after={await AfterThePast(fixture.Tenant.Client)}&wait=60");
        await fixture.Sql("""
            update onboarding.api_key k set revoked_at = now() from onboarding.member m
            where m.tenant_id = k.tenant_id and m.id = k.member_id and m.role = 'viewer'
            """);
        (await waiting).StatusCode.ShouldBe(HttpStatusCode.Unauthorized);
    }

    [Fact]
    public async Task A_position_ahead_of_the_server_is_refused()
    {
        await using var service = await ServiceHost.Start(await postgres.Create());
        var tenant = await service.CreateTenant();
        var position = Base64Url.DecodeFromChars((await Read(tenant.Client, "after=now")).Next);
        position[3]++;
        var ahead = await tenant.Client.GetAsync($"/v1/feed?after={Base64Url.EncodeToString(position)}");
        ahead.StatusCode.ShouldBe(HttpStatusCode.UnprocessableEntity);
        (await ahead.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("type").GetString().ShouldBe("/problems/cursor_mismatch");
    }

    [Fact]
    public async Task A_tenant_has_ten_waiting_readers_and_the_next_comes_again_later()
    {
        await using var service = await ServiceHost.Start(await postgres.Create());
        var (tenant, other) = (await service.CreateTenant(), await service.CreateTenant());
        var after = await AfterThePast(tenant.Client);
        var asked = Enumerable.Range(0, 15).Select(_ => tenant.Client.GetAsync($"/v1/feed?after={after}&wait=60")).ToList();
        var refused = new List<HttpResponseMessage>();
        while (refused.Count < 5)
        {
            var answered = await Task.WhenAny(asked);
            asked.Remove(answered);
            refused.Add(await answered);
        }

        refused.ShouldAllBe(answer => answer.StatusCode == HttpStatusCode.TooManyRequests && answer.Headers.RetryAfter != null);
        (await other.Client.GetAsync("/v1/feed")).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await tenant.Client.PostAsJsonAsync("/v1/sites", new { name = "rotterdam" })).StatusCode.ShouldBe(HttpStatusCode.Created);
        (await Task.WhenAll(asked)).ShouldAllBe(answer => answer.StatusCode == HttpStatusCode.OK);
    }

    /// <summary>Transactions commit in another order than they began: no event appears before one that a reader has already seen.</summary>
    [Fact]
    public async Task No_event_appears_late_or_twice()
    {
        const int writers = 8, deeds = 40;
        await using var fixture = await RunFixture.Start(postgres, devices: 0);
        var from = await AfterThePast(fixture.Tenant.Client);
        var done = Task.WhenAll(Enumerable.Range(0, writers).Select(async writer =>
        {
            for (var deed = 0; deed < deeds; deed++)
            {
                // Each transaction takes its number first and commits after a different delay.
                await fixture.AppSql(
                    $"""
                    insert into web.audit_event (id, tenant_id, principal, member, action, subject, data)
                    values (gen_random_uuid(), '{fixture.Tenant.Id.Value}', 'test', 'test', 'test.done', '{writer}/{deed}', jsonb '1');
                    select pg_sleep(random() * 0.02)
                    """);
            }
        }));
        var seen = new List<string>();
        while (seen.Count < writers * deeds)
        {
            var page = await Read(fixture.Tenant.Client, $"after={from}&limit=7&wait=60");
            page.Items.ShouldNotBeEmpty();
            seen.AddRange(page.Items.Select(item => item.GetProperty("subject").GetString()!));
            from = page.Next;
        }

        await done;
        (await Read(fixture.Tenant.Client, $"after={from}")).Items.ShouldBeEmpty();
        seen.ShouldBeUnique();
        foreach (
            var own in seen.Select(text => text.Split('/'))
                .GroupBy(parts => parts[0], parts => int.Parse(parts[1], System.Globalization.CultureInfo.InvariantCulture)))
        {
            own.ShouldBeInOrder();
        }
    }

    [Fact]
    public async Task A_position_that_is_not_of_this_feed_is_refused()
    {
        await using var service = await ServiceHost.Start(await postgres.Create());
        var (mine, other) = (await service.CreateTenant(), await service.CreateTenant());
        var theirs = (await Read(other.Client, "after=now")).Next;
        foreach (var bad in new[] { theirs, "x", "AAAA", new string('A', 100), "now " })
        {
            (await mine.Client.GetAsync($"/v1/feed?after={Uri.EscapeDataString(bad)}")).StatusCode.ShouldBe(
                HttpStatusCode.UnprocessableEntity);
        }

        (await mine.Client.GetAsync("/v1/feed?wait=61")).StatusCode.ShouldBe(HttpStatusCode.UnprocessableEntity);
        (await mine.Client.GetAsync("/v1/feed?limit=0")).StatusCode.ShouldBe(HttpStatusCode.UnprocessableEntity);
    }

    /// <summary>
    /// The position behind all that the fixture did: "now" may stand before events of it, which any older transaction of the server hides.
    /// </summary>
    private static async Task<string> AfterThePast(HttpClient client)
    {
        var last = (await client.Call("POST", "/v1/sites", new { name = "last of the past" })).Must(HttpStatusCode.Created).Id;
        var (items, next) = (new List<JsonElement>(), "");
        while (items.TrueForAll(item => item.GetProperty("subject").GetString() != last))
        {
            (_, next, items) = await Read(client, next.Length == 0 ? "wait=60" : $"after={next}&wait=60");
            items.ShouldNotBeEmpty();
        }

        return next;
    }

    /// <summary>
    /// Reads until an event of this type: the feed waits for every older transaction of the server, also for those of other databases.
    /// </summary>
    private static async Task<(List<string> Types, string Next, List<JsonElement> Items)> ReadUntil(
        HttpClient client, string? after, string type)
    {
        var (types, items) = (new List<string>(), new List<JsonElement>());
        while (!types.Contains(type))
        {
            var page = await Read(client, after is null ? "wait=60" : $"after={after}&wait=60");
            page.Items.ShouldNotBeEmpty();
            types.AddRange(page.Types);
            items.AddRange(page.Items);
            after = page.Next;
        }

        return (types, after!, items);
    }

    private static async Task<(List<string> Types, string Next, List<JsonElement> Items)> Read(HttpClient client, string query)
    {
        var page = await client.GetFromJsonAsync<JsonElement>($"/v1/feed?{query}");
        var items = page.GetProperty("items").EnumerateArray().ToList();
        return ([.. items.Select(item => item.GetProperty("type").GetString()!)], page.GetProperty("next").GetString()!, items);
    }
}
