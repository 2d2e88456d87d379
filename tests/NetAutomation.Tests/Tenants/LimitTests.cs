using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using NetAutomation.Runs;
using NetAutomation.Tests.Runs;
using NetAutomation.Tests.Scheduling;
using NetAutomation.Tests.Support;
using Npgsql;

namespace NetAutomation.Tests.Tenants;

/// <summary>One running service for the tests of limits; each test has a tenant of its own.</summary>
public sealed class LimitFixture(PostgresServer postgres) : IAsyncLifetime
{
    internal RunFixture Runs { get; private set; } = null!;

    public async ValueTask InitializeAsync() => Runs = await RunFixture.Start(postgres, 1);

    public ValueTask DisposeAsync() => Runs.DisposeAsync();

    /// <summary>A tenant with a site, a credential, a connector, a device and a block.</summary>
    internal async Task<LimitedTenant> Tenant()
    {
        var tenant = await Runs.Host.CreateTenant();
        await Runs.AddDevices(tenant, 1);
        await Runs.Post(tenant.Client, "/v1/purchases", new { block = "static-routes", kind = "pay_per_use" });
        var device = (await tenant.Client.Call("GET", "/v1/devices")).Json.GetProperty("items")[0];
        return new(
            Runs, tenant, device.GetProperty("siteId").GetString()!, device.GetProperty("credentialId").GetString()!,
            Runs.Host.Operator());
    }
}

/// <summary>A tenant whose limits the operator changes.</summary>
internal sealed record LimitedTenant(RunFixture Runs, TestTenant Tenant, string Site, string Credential, HttpClient Staff)
{
    private static int _number = 100;

    public HttpClient Client => Tenant.Client;

    public async Task Set(string limit, long? max) => (await Staff.Call(
        "PUT", $"/operator/v1/tenants/{Tenant.Id}/limits/{limit}", new { max, reason = "they asked" })).Must(HttpStatusCode.OK);

    public async Task<JsonElement> Limit(string name) => (await Client.Call("GET", "/v1/limits")).Must(HttpStatusCode.OK)
        .Json.GetProperty("items").EnumerateArray().Single(item => item.GetProperty("limit").GetString() == name);

    public async Task<long> Used(string limit) => (await Limit(limit)).GetProperty("used").GetInt64();

    /// <summary>Adds one more of what the limit counts.</summary>
    public Task<Answer> Add(string limit)
    {
        var n = Interlocked.Increment(ref _number);
        object run = Runs.Apply("10.9.0.0/16");
        return limit switch
        {
            "sites" => Client.Call("POST", "/v1/sites", new { name = $"s{n}" }),
            "credentials" => Client.Call(
                "POST", "/v1/credentials", new { name = $"c{n}", username = "u", kind = "password", password = "sample-secret" }),
            "devices" => Client.Call("POST", "/v1/devices", new
            {
                name = $"d{n}", siteId = Site, address = $"10.67.{n / 250}.{n % 250}", platform = "frr", credentialId = Credential,
            }),
            "connectors" => Client.Call("POST", "/v1/connectors", new { name = $"n{n}", siteId = Site }),
            "api_keys" => AddKey(n),
            "aws_accounts" => Client.Call("POST", "/v1/aws-accounts", new { account = $"{900_000_000_000 + n}" }),
            "windows" => Client.Call(
                "POST", "/v1/windows", new { name = $"w{n}", kind = "deny", cron = "0 3 * * *", timeZone = "UTC", duration = "PT1H" }),
            "schedules" => Client.Call("POST", "/v1/schedules", new { name = $"p{n}", cron = "0 3 1 1 *", timeZone = "UTC", run }),
            "members" => Client.Call("POST", "/v1/members", new { name = $"m{n}", role = "viewer" }),
            "quotes" => Client.Call("POST", "/v1/quotes", run),
            "queued_runs" => Start(run, "/v1/runs"),
            _ => throw new ArgumentOutOfRangeException(nameof(limit)),
        };
    }

    private async Task<Answer> AddKey(int n)
    {
        var members = (await Client.Call("GET", "/v1/members")).Must(HttpStatusCode.OK).Json.GetProperty("items");
        return await Client.Call("POST", "/v1/api-keys", new { name = $"k{n}", memberId = members[0].GetProperty("id").GetString() });
    }

    public async Task<Answer> Start(object body, string path)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path);
        request.Headers.Add("Idempotency-Key", $"limit-{Guid.NewGuid():n}");
        request.Content = new StringContent(JsonSerializer.Serialize(body), new MediaTypeHeaderValue("application/json"));
        using var answer = await Client.SendAsync(request);
        return new(answer.StatusCode, await answer.Content.ReadAsStringAsync(), null, answer.Headers.Location?.ToString());
    }

    public async Task<Answer> Import(int devices)
    {
        var rows = Enumerable.Range(0, devices).Select(_ => Interlocked.Increment(ref _number))
            .Select(n => $"i{n},ams,10.68.{n / 250}.{n % 250},,frr,netops,,,");
        using var content = new StringContent(
            "name,site,address,port,platform,credential,hostKeySha256,labels,enabled\r\n" + string.Join("\r\n", rows) + "\r\n",
            Encoding.UTF8, "text/csv");
        return await Client.Call("POST", "/v1/devices:import", content);
    }
}

public sealed class LimitTests(LimitFixture fixture) : IClassFixture<LimitFixture>
{
    public static TheoryData<string> Counted { get; } =
        [
            "sites", "credentials", "devices", "connectors", "api_keys", "members", "aws_accounts", "windows", "schedules", "queued_runs",
            "quotes",
        ];

    [Theory]
    [MemberData(nameof(Counted))]
    public async Task The_last_place_goes_to_one_of_those_who_want_it_at_once(string limit)
    {
        var (mine, other) = (await fixture.Tenant(), await fixture.Tenant());
        var max = await mine.Used(limit) + 2;
        await mine.Set(limit, max);
        (await mine.Add(limit)).Status.ShouldBeOneOf(HttpStatusCode.Created, HttpStatusCode.Accepted);
        var answers = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => mine.Add(limit)));
        answers.Count(answer => answer.Status is HttpStatusCode.Created or HttpStatusCode.Accepted).ShouldBe(1);
        foreach (var refused in answers.Where(answer => answer.Status is not (HttpStatusCode.Created or HttpStatusCode.Accepted)))
        {
            refused.Must(HttpStatusCode.Conflict).Problem.ShouldBe("limit_reached");
            (refused.Json.GetProperty("limit").GetString(), refused.Json.GetProperty("max").GetInt64(),
                refused.Json.GetProperty("used").GetInt64()).ShouldBe((limit, max, max));
        }

        (await mine.Used(limit)).ShouldBe(max);
        (await other.Add(limit)).Status.ShouldBeOneOf(HttpStatusCode.Created, HttpStatusCode.Accepted);
        await mine.Set(limit, max + 1);
        (await mine.Add(limit)).Status.ShouldBeOneOf(HttpStatusCode.Created, HttpStatusCode.Accepted);
        (await mine.Add(limit)).Must(HttpStatusCode.Conflict);
    }

    [Fact]
    public async Task An_account_that_is_claimed_already_is_claimed_again_at_the_limit()
    {
        var mine = await fixture.Tenant();
        (await Claim("911111111111")).Must(HttpStatusCode.Created);
        await mine.Set("aws_accounts", await mine.Used("aws_accounts"));
        (await Claim("911111111111")).Must(HttpStatusCode.Created);
        (await Claim("922222222222")).Must(HttpStatusCode.Conflict).Problem.ShouldBe("limit_reached");

        Task<Answer> Claim(string account) => mine.Client.Call("POST", "/v1/aws-accounts", new { account });
    }

    /// <summary>Whatever order rows come and go in, the counter says how many there are.</summary>
    [Fact]
    public async Task A_counter_never_drifts_and_never_passes_its_limit()
    {
        const int max = 6;
        var mine = await fixture.Tenant();
        await mine.Set("sites", max);
        var seed = Random.Shared.Next();
        var sites = new ConcurrentBag<(string Id, string ETag)>();
        await Task.WhenAll(Enumerable.Range(0, 6).Select(async worker =>
        {
            var random = new Random(seed + worker);
            for (var step = 0; step < 12; step++)
            {
                if (random.Next(5) < 2 && sites.TryTake(out var gone))
                {
                    (await mine.Client.Call("DELETE", $"/v1/sites/{gone.Id}", ifMatch: gone.ETag)).Must(HttpStatusCode.NoContent);
                }
                else if (await mine.Add("sites") is { Status: HttpStatusCode.Created } added)
                {
                    sites.Add((added.Id, added.ETag!));
                }

                (await mine.Used("sites")).ShouldBeLessThanOrEqualTo(max, $"seed {seed}");
            }
        }));
        // The site that the fixture made, and those of this test.
        (await mine.Used("sites")).ShouldBe(sites.Count + 1, $"seed {seed}");
        (await fixture.Runs.Scalar<long>($"select count(*) from inventory.site where tenant_id = '{mine.Tenant.Id.Value}'"))
            .ShouldBe(sites.Count + 1, $"seed {seed}");
    }

    [Fact]
    public async Task A_revoked_key_and_a_revoked_connector_make_room()
    {
        var mine = await fixture.Tenant();
        foreach (var (limit, path) in new[] { ("api_keys", "/v1/api-keys"), ("connectors", "/v1/connectors") })
        {
            await mine.Set(limit, await mine.Used(limit) + 1);
            var last = (await mine.Add(limit)).Must(HttpStatusCode.Created);
            (await mine.Add(limit)).Must(HttpStatusCode.Conflict);
            (await mine.Client.Call("DELETE", $"{path}/{last.Id}", ifMatch: last.ETag ?? "\"1\"")).Must(HttpStatusCode.NoContent);
            (await mine.Add(limit)).Must(HttpStatusCode.Created);
        }
    }

    [Fact]
    public async Task A_quote_that_a_run_uses_or_that_expires_makes_room_and_goes_where_no_run_used_it()
    {
        var mine = await fixture.Tenant();
        await mine.Set("quotes", 3);
        var quotes = new List<string>();
        for (var i = 0; i < 3; i++)
        {
            quotes.Add((await mine.Add("quotes")).Must(HttpStatusCode.Created).Id);
        }

        (await mine.Add("quotes")).Must(HttpStatusCode.Conflict);
        (await mine.Start(new { quoteId = quotes[0] }, "/v1/runs")).Must(HttpStatusCode.Accepted);
        (await mine.Used("quotes")).ShouldBe(2);
        await Age(quotes[0], 30);
        await Age(quotes[1], 23);
        await Age(quotes[2], 25);
        (await mine.Used("quotes")).ShouldBe(0);
        // A run without a quote of its own asks for none.
        (await mine.Add("queued_runs")).Must(HttpStatusCode.Accepted);
        (await mine.Used("quotes")).ShouldBe(0);

        await using (var scope = fixture.Runs.Host.Services.CreateAsyncScope())
        {
            await scope.ServiceProvider.GetRequiredService<RunQueue>().ForgetQuotes(default);
        }

        (await mine.Client.Call("GET", $"/v1/quotes/{quotes[0]}")).Must(HttpStatusCode.OK);
        (await mine.Start(new { quoteId = quotes[1] }, "/v1/runs")).Problem.ShouldBe("quote_expired");
        (await mine.Client.Call("GET", $"/v1/quotes/{quotes[2]}")).Must(HttpStatusCode.NotFound);
        (await fixture.Runs.Scalar<long>($"select count(*) from runs.quote where tenant_id = '{mine.Tenant.Id.Value}'")).ShouldBe(3);

        Task Age(string quote, int hours) => fixture.Runs.Sql(
            "update runs.quote set expires_at = now() - make_interval(hours => $2) where id = $1", QuoteId.Parse(quote).Value, hours);
    }

    [Fact]
    public async Task An_import_fits_whole_or_writes_nothing()
    {
        var mine = await fixture.Tenant();
        await mine.Set("devices", 4);
        var tooMany = (await mine.Import(4)).Must(HttpStatusCode.Conflict);
        (tooMany.Problem, tooMany.Json.GetProperty("used").GetInt64()).ShouldBe(("limit_reached", 1));
        (await mine.Used("devices")).ShouldBe(1);
        var answers = await Task.WhenAll(mine.Import(2), mine.Import(2));
        answers.Select(answer => answer.Status).Order().ShouldBe([HttpStatusCode.OK, HttpStatusCode.Conflict]);
        (await mine.Used("devices")).ShouldBe(3);
        (await mine.Import(1)).Must(HttpStatusCode.OK);
        (await mine.Client.Call("GET", "/v1/devices")).Json.GetProperty("items").GetArrayLength().ShouldBe(4);
    }

    [Fact]
    public async Task A_batch_of_runs_fits_whole_or_starts_none_and_a_run_that_comes_back_is_not_refused()
    {
        var mine = await fixture.Tenant();
        await mine.Set("queued_runs", 3);
        var run = fixture.Runs.Apply("10.9.0.0/16");
        (await mine.Add("queued_runs")).Must(HttpStatusCode.Accepted);
        var tooMany = (await mine.Start(new { runs = Enumerable.Repeat(run, 3) }, "/v1/runs:batch")).Must(HttpStatusCode.Conflict);
        (tooMany.Problem, tooMany.Json.GetProperty("used").GetInt64()).ShouldBe(("limit_reached", 1));
        (await mine.Used("queued_runs")).ShouldBe(1);
        (await mine.Start(new { runs = Enumerable.Repeat(run, 2) }, "/v1/runs:batch")).Must(HttpStatusCode.Accepted);
        (await mine.Add("queued_runs")).Must(HttpStatusCode.Conflict);

        var queued = (await mine.Client.Call("GET", "/v1/runs")).Json.GetProperty("items").EnumerateArray()
            .Select(item => item.GetProperty("id").GetString()!).ToList();
        (await mine.Start(new { }, $"/v1/runs/{queued[0]}:cancel")).Status.ShouldBeOneOf(HttpStatusCode.OK, HttpStatusCode.Accepted);
        (await mine.Used("queued_runs")).ShouldBe(2);

        // Another tenant's run may be the next in turn.
        ClaimedRun claimed;
        do
        {
            claimed = (await fixture.Runs.Claim()).ShouldNotBeNull();
        }
        while (claimed.Tenant != mine.Tenant.Id);
        (await mine.Add("queued_runs")).Must(HttpStatusCode.Accepted);
        (await mine.Add("queued_runs")).Must(HttpStatusCode.Accepted);
        await fixture.Runs.Sql(
            "select runs.move($1, $2, $3, array['claimed'], 'queued', 'test')", claimed.Tenant.Value, claimed.Id.Value, claimed.Fence);
        (await mine.Used("queued_runs")).ShouldBe(4);
        (await mine.Add("queued_runs")).Must(HttpStatusCode.Conflict);
    }

    [Fact]
    public async Task Two_batches_take_the_last_places_together_and_one_learns_how_many_are_used()
    {
        var mine = await fixture.Tenant();
        await mine.Set("queued_runs", 3);
        var batch = new { runs = Enumerable.Repeat(fixture.Runs.Apply("10.9.0.0/16"), 2) };
        List<Task<Answer>> both;
        await using (var source = NpgsqlDataSource.Create(fixture.Runs.Database.Owner))
        await using (var connection = await source.OpenConnectionAsync())
        await using (var transaction = await connection.BeginTransactionAsync())
        {
            await using var counter = new NpgsqlCommand("select from web.tenant_limit where tenant_id = $1 for update", connection)
            {
                Parameters = { new() { Value = mine.Tenant.Id.Value } },
            };
            (await counter.ExecuteScalarAsync()).ShouldBeNull();
            both = [.. Enumerable.Range(0, 2).Select(_ => mine.Start(batch, "/v1/runs:batch"))];
            // Each found the queue empty, and both are at their commits.
            await Eventually.Holds(() => fixture.Runs.Scalar<bool>(
                """
                select count(*) = 2 from pg_stat_activity
                where datname = current_database() and usename = 'na_app' and wait_event_type = 'Lock'
                """));
            await transaction.CommitAsync();
        }

        var answers = (await Task.WhenAll(both)).OrderBy(answer => answer.Status).ToList();
        answers[0].Must(HttpStatusCode.Accepted);
        answers[1].Must(HttpStatusCode.Conflict).Json.GetProperty("used").GetInt64().ShouldBe(2);
        (await mine.Used("queued_runs")).ShouldBe(2);
    }

    [Fact]
    public async Task What_runs_leave_is_counted_by_the_month_and_above_it_no_run_starts()
    {
        var mine = await fixture.Tenant();
        (await mine.Add("queued_runs")).Must(HttpStatusCode.Accepted);
        ClaimedRun run;
        do
        {
            run = (await fixture.Runs.Claim()).ShouldNotBeNull();
        }
        while (run.Tenant != mine.Tenant.Id);
        (await fixture.Runs.Journal(journal => journal.Start(run, default))).ShouldBeTrue();
        var report = new DeviceReport(
            run.Devices[0].Id, DeviceOutcome.Changed, true, true, null, null, """{"lines":[1,2,3]}""", new string('+', 300), null, null,
            [new ArtifactFile("config.txt", "text/plain", new byte[700])]);
        (await fixture.Runs.Write(run, RunFixture.Started(run.Devices[0].Id), RunEvent.Of(DateTimeOffset.UtcNow, report))).ShouldBeTrue();
        (await fixture.Runs.Finish(run)).ShouldBeTrue();
        var events = await fixture.Runs.Scalar<long>($"select count(*) from runs.run_event where run_id = '{run.Id.Value}'");
        (await mine.Used("event_rows")).ShouldBe(events);
        var bytes = await mine.Used("artifact_bytes");
        bytes.ShouldBeInRange(1000 + 10, 1000 + 100, "the artifact, the diff and the result");
        (await mine.Limit("event_rows")).GetProperty("resetsAt").GetDateTimeOffset().ShouldBeGreaterThan(DateTimeOffset.UtcNow);

        foreach (var (limit, max) in new[] { ("artifact_bytes", bytes), ("event_rows", events) })
        {
            await mine.Set(limit, max);
            var refused = (await mine.Add("queued_runs")).Must(HttpStatusCode.Conflict);
            (refused.Problem, refused.Json.GetProperty("limit").GetString()).ShouldBe(("limit_reached", limit));
            refused.Json.GetProperty("resetsAt").GetDateTimeOffset().Day.ShouldBe(1);
            await mine.Set(limit, max + 1);
            (await mine.Add("queued_runs")).Must(HttpStatusCode.Accepted);
        }

        await mine.Set("event_rows", events);
        await fixture.Runs.Sql(
            "update runs.tenant_quota set month = month - interval '1 month' where tenant_id = $1", mine.Tenant.Id.Value);
        (await mine.Used("event_rows")).ShouldBe(0);
        (await mine.Add("queued_runs")).Must(HttpStatusCode.Accepted);
    }

    [Theory]
    [InlineData("queued_runs")]
    [InlineData("event_rows")]
    [InlineData("artifact_bytes")]
    public async Task An_occurrence_finds_a_limit_reached_and_is_refused_with_the_reason_and_counted(string limit)
    {
        using var refused = new MetricCounts(fixture.Runs.Host, "netautomation.limits.refused");
        var mine = await fixture.Tenant();
        await mine.Set(limit, 0);
        var now = DateTimeOffset.UtcNow;
        var schedule = (await mine.Client.Call("POST", "/v1/schedules", new
        {
            name = "now", cron = ScheduleFixture.Minute(now), timeZone = "UTC", misfire = "once", run = fixture.Runs.Apply("10.9.0.0/16"),
        })).Must(HttpStatusCode.Created);
        await fixture.Runs.SetNextDue(ScheduleId.Parse(schedule.Id), now.AddMinutes(-1));
        await fixture.Runs.Host.Fire();
        var occurrence = (await mine.Client.Call("GET", $"/v1/schedules/{schedule.Id}/occurrences")).Json.GetProperty("items")[0];
        occurrence.GetRawText().ShouldContain("limit_reached");
        (await mine.Used("queued_runs")).ShouldBe(0);
        refused[limit].ShouldBe(1);
    }

    [Fact]
    public async Task An_operator_changes_a_limit_with_a_reason_and_sees_it()
    {
        var mine = await fixture.Tenant();
        var path = $"/operator/v1/tenants/{mine.Tenant.Id}/limits";
        await mine.Set("sites", 7);
        var shown = (await mine.Staff.Call("GET", path)).Must(HttpStatusCode.OK).Json.GetProperty("items").EnumerateArray()
            .ToDictionary(item => item.GetProperty("limit").GetString()!, item => item.GetProperty("max").GetInt64());
        (shown["sites"], shown["devices"]).ShouldBe((7, 10_000));
        shown.Keys.ShouldBe(Limits.All.Select(limit => limit.Name));
        var deed = (await mine.Client.Call("GET", "/v1/audit?limit=1")).Json.GetProperty("items")[0];
        (deed.GetProperty("action").GetString(), deed.GetProperty("subject").GetString()).ShouldBe(("limit.changed", "sites"));
        deed.GetRawText().ShouldContain("they asked");
        await mine.Set("sites", null);
        (await mine.Limit("sites")).GetProperty("max").GetInt64().ShouldBe(200);

        (await mine.Staff.Call("PUT", $"{path}/moons", new { max = 1, reason = "x" })).Must(HttpStatusCode.NotFound);
        (await mine.Staff.Call("PUT", $"{path}/sites", new { max = -1, reason = "x" })).Must(HttpStatusCode.UnprocessableEntity);
        (await mine.Staff.Call("PUT", $"{path}/sites", new { max = 1, reason = "" })).Must(HttpStatusCode.UnprocessableEntity);
        (await mine.Staff.Call("GET", $"/operator/v1/tenants/{TenantId.New()}/limits")).Must(HttpStatusCode.NotFound);
        (await mine.Client.Call("GET", path)).Must(HttpStatusCode.NotFound);
    }

    [Fact]
    public async Task Every_limit_on_counts_stands_in_the_documents_with_its_default()
    {
        var page = await File.ReadAllLinesAsync(Path.Combine(PostgresServer.RepositoryRoot(), "docs/api.md"));
        page.SkipWhile(line => line != "| limit | default | what counts |").Skip(2).TakeWhile(line => line.StartsWith('|'))
            .ShouldBe(Limits.All.Select(limit => $"| `{limit.Name}` | {limit.Default} | {limit.Description} |"));
    }
}
