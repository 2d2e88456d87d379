using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using NetAutomation.Tests.Support;
using NetAutomation.Web;
using NetAutomation.Web.Rates;
using Npgsql;

namespace NetAutomation.Tests.Edge;

/// <summary>A service with small rates whose buckets fill when a test says so.</summary>
public sealed class RateFixture(PostgresServer postgres) : IAsyncLifetime
{
    internal StoppedClock Clock { get; } = new();

    internal ServiceHost Host { get; private set; } = null!;

    internal TestDatabase Database { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        Database = await postgres.Create();
        Host = await ServiceHost.Start(
            Database,
            [
                "Roles:1=api", "Rates:Key:PerSecond=2", "Rates:Key:Burst=20", "Rates:Tenant:PerSecond=3", "Rates:Tenant:Burst=30",
                "Rates:Endpoint:PerSecond=4", "Rates:Endpoint:Burst=40", "Rates:FailedAuthentications:PerSecond=1",
                "Rates:FailedAuthentications:Burst=10", "Rates:Visitors:PerSecond=1", "Rates:Visitors:Burst=5",
                "Rates:Requests=6", "Rates:DatabaseConnections=2", "Rates:ConnectionWaitSeconds=1",
                "Rates:EvaluationSteps:PerSecond=10000", "Rates:EvaluationSteps:Burst=250000",
            ],
            builder => builder.Services.AddSingleton<TimeProvider>(Clock));
    }

    public ValueTask DisposeAsync() => Host.DisposeAsync();
}

/// <summary>Its timestamps change when a test says so; the time of day and timers are the system's.</summary>
internal sealed class StoppedClock : TimeProvider
{
    private long _ticks = TimeSpan.TicksPerHour;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp() => Interlocked.Read(ref _ticks);

    public void Advance(TimeSpan time) => Interlocked.Add(ref _ticks, time.Ticks);
}

public sealed class RateTests(RateFixture fixture) : IClassFixture<RateFixture>
{
    private static readonly Uri _me = new("/v1/me", UriKind.Relative);

    [Fact]
    public async Task A_key_that_calls_too_often_is_told_when_to_come_back_and_harms_no_other()
    {
        var (mine, other) = (await fixture.Host.CreateTenant(), await fixture.Host.CreateTenant());
        var second = await fixture.Host.CreateKey(mine, MemberRole.Viewer);
        using var first = await mine.Client.GetAsync(_me);
        Field(first, "RateLimit-Policy").ShouldBe(
            """
            "endpoint_requests";q=40;w=10, "tenant_requests";q=30;w=10, "key_requests";q=20;w=10
            """);
        Field(first, "RateLimit").ShouldBe(
            """
            "endpoint_requests";r=39;t=1, "tenant_requests";r=29;t=1, "key_requests";r=19;t=1
            """);
        (await Statuses(mine.Client, 19)).ShouldAllBe(status => status == HttpStatusCode.OK);

        using var refused = await mine.Client.GetAsync(_me);
        refused.StatusCode.ShouldBe(HttpStatusCode.TooManyRequests);
        refused.Headers.RetryAfter!.Delta.ShouldBe(TimeSpan.FromSeconds(1));
        Field(refused, "RateLimit").ShouldEndWith("\"key_requests\";r=0;t=10");
        var problem = JsonElement.Parse(await refused.Content.ReadAsStringAsync());
        (problem.GetProperty("type").GetString(), problem.GetProperty("limit").GetString(), problem.GetProperty("max").GetInt64())
            .ShouldBe(("/problems/rate_limited", "key_requests", 20));
        (await second.GetAsync(_me)).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await other.Client.GetAsync(_me)).StatusCode.ShouldBe(HttpStatusCode.OK);

        fixture.Clock.Advance(TimeSpan.FromSeconds(1));
        (await Statuses(mine.Client, 3)).ShouldBe([HttpStatusCode.OK, HttpStatusCode.OK, HttpStatusCode.TooManyRequests]);
    }

    [Fact]
    public async Task A_tenant_has_one_rate_however_many_keys_it_has()
    {
        var (mine, other) = (await fixture.Host.CreateTenant(), await fixture.Host.CreateTenant());
        var second = await fixture.Host.CreateKey(mine, MemberRole.Viewer);
        await Statuses(mine.Client, 15);
        (await Statuses(second, 15)).ShouldAllBe(status => status == HttpStatusCode.OK);
        var refused = await mine.Client.Call("GET", "/v1/me");
        refused.Must(HttpStatusCode.TooManyRequests).Json.GetProperty("limit").GetString().ShouldBe("tenant_requests");
        (await other.Client.GetAsync(_me)).StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    [Fact]
    public async Task Unknown_keys_cost_a_bounded_number_of_look_ups_and_a_known_one_goes_on()
    {
        var mine = await fixture.Host.CreateTenant();
        (await mine.Client.GetAsync(_me)).StatusCode.ShouldBe(HttpStatusCode.OK);
        var statuses = new List<HttpStatusCode>();
        for (var guess = 0; guess < 25; guess++)
        {
            using var guesser = fixture.Host.Customer(mine.EndpointId, $"nak_{Guid.NewGuid():n}");
            using var answer = await guesser.GetAsync(_me);
            statuses.Add(answer.StatusCode);
            Field(answer, "RateLimit").ShouldContain($"\"failed_authentications\";r={Math.Max(0, 9 - guess)};");
        }

        // Only what is answered 401 was looked up.
        statuses.Take(10).ShouldAllBe(status => status == HttpStatusCode.Unauthorized);
        statuses.Skip(10).ShouldAllBe(status => status == HttpStatusCode.TooManyRequests);
        (await mine.Client.GetAsync(_me)).StatusCode.ShouldBe(HttpStatusCode.OK);
        fixture.Clock.Advance(TimeSpan.FromSeconds(1));
        var created = await fixture.Host.CreateKey(mine, MemberRole.Viewer);
        (await created.GetAsync(_me)).StatusCode.ShouldBe(HttpStatusCode.OK, "a right key takes nothing from the failures");
        using var last = fixture.Host.Customer(mine.EndpointId, "nak_unknown");
        (await Statuses(last, 2)).ShouldBe([HttpStatusCode.Unauthorized, HttpStatusCode.TooManyRequests]);
    }

    [Fact]
    public async Task A_key_at_the_endpoint_of_another_tenant_takes_from_the_failures_there_and_nothing_from_its_own()
    {
        var (mine, other) = (await fixture.Host.CreateTenant(), await fixture.Host.CreateTenant());
        (await mine.Client.GetAsync(_me)).StatusCode.ShouldBe(HttpStatusCode.OK);
        using (var thief = fixture.Host.Customer(other.EndpointId, mine.Key))
        {
            for (var attempt = 1; attempt <= 12; attempt++)
            {
                using var answer = await thief.GetAsync(_me);
                answer.StatusCode.ShouldBe(attempt <= 10 ? HttpStatusCode.Unauthorized : HttpStatusCode.TooManyRequests);
                Field(answer, "RateLimit").ShouldNotContain("key_requests");
            }
        }

        using var next = await mine.Client.GetAsync(_me);
        next.StatusCode.ShouldBe(HttpStatusCode.OK);
        Field(next, "RateLimit").ShouldContain("\"key_requests\";r=18;");
    }

    [Fact]
    public async Task An_endpoint_that_belongs_to_nobody_has_a_rate_too()
    {
        using var stranger = fixture.Host.Customer($"vpce-{Guid.NewGuid().ToString("n")[..17]}", "nak_x");
        (await Statuses(stranger, 40)).ShouldAllBe(status => status == HttpStatusCode.Unauthorized);
        (await stranger.Call("GET", "/v1/me")).Must(HttpStatusCode.TooManyRequests).Json.GetProperty("limit").GetString()
            .ShouldBe("endpoint_requests");
        (await stranger.GetAsync("/healthz/live")).StatusCode.ShouldBe(HttpStatusCode.TooManyRequests);
    }

    [Fact]
    public async Task Health_through_an_endpoint_takes_from_its_rate_and_the_load_balancers_own_checks_do_not()
    {
        var mine = await fixture.Host.CreateTenant();
        (await Statuses(mine.Client, 41, "/healthz/ready")).ShouldBe(
            [.. Enumerable.Repeat(HttpStatusCode.OK, 40), HttpStatusCode.TooManyRequests]);
        using var balancer = fixture.Host.ClientOf(Listener.Customer, ProxyV2.Local, null);
        (await Statuses(balancer, 100, "/healthz/ready")).ShouldAllBe(status => status == HttpStatusCode.OK);
    }

    [Fact]
    public async Task Guesses_at_the_operator_listener_are_refused_and_the_right_key_is_not()
    {
        using var guesser = fixture.Host.Operator("wrong");
        var statuses = await Statuses(guesser, 12, "/operator/v1/tenants");
        statuses.Take(10).ShouldAllBe(status => status == HttpStatusCode.Unauthorized);
        statuses.Skip(10).ShouldAllBe(status => status == HttpStatusCode.TooManyRequests);
        (await fixture.Host.Operator().GetAsync("/operator/v1/tenants")).StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    [Fact]
    public async Task Visitors_of_the_registration_page_are_limited()
    {
        var statuses = await Statuses(fixture.Host.Browser(), 6, "/marketplace/registration");
        statuses.Take(5).ShouldAllBe(status => status != HttpStatusCode.TooManyRequests);
        statuses[5].ShouldBe(HttpStatusCode.TooManyRequests);
    }

    [Fact]
    public async Task A_tenant_whose_requests_hold_all_its_connections_waits_and_another_does_not()
    {
        var (mine, other) = (await fixture.Host.CreateTenant(), await fixture.Host.CreateTenant());
        await using var owner = NpgsqlDataSource.Create(fixture.Database.Owner);
        List<Task<Answer>> held;
        await using (var connection = await owner.OpenConnectionAsync())
        {
            await using var transaction = await connection.BeginTransactionAsync();
            await using (var command = new NpgsqlCommand("lock table inventory.site in share mode", connection))
            {
                await command.ExecuteNonQueryAsync();
            }

            held = [.. Enumerable.Range(0, 2).Select(n => mine.Client.Call("POST", "/v1/sites", new { name = $"held{n}" }))];
            var use = fixture.Host.Services.GetRequiredService<RateLimits>().UseOf(mine.Id);
            await Eventually.Holds(() => use.Connections.Used == 2);
            var refused = (await mine.Client.Call("GET", "/v1/audit")).Must(HttpStatusCode.TooManyRequests);
            refused.Json.GetProperty("limit").GetString().ShouldBe("database_connections");
            (await other.Client.Call("GET", "/v1/audit")).Must(HttpStatusCode.OK);

            var crowd = Enumerable.Range(0, 6).Select(_ => mine.Client.Call("GET", "/v1/audit")).ToList();
            (await Task.WhenAll(crowd)).Select(answer => answer.Json.GetProperty("limit").GetString()).Distinct().Order()
                .ShouldBe(["database_connections", "requests"]);
            await transaction.CommitAsync();
        }

        (await Task.WhenAll(held)).ShouldAllBe(answer => answer.Status == HttpStatusCode.Created);
        (await mine.Client.Call("GET", "/v1/audit")).Must(HttpStatusCode.OK);
        var shown = (await mine.Client.Call("GET", "/v1/limits")).Json.GetProperty("items").EnumerateArray()
            .ToDictionary(item => item.GetProperty("limit").GetString()!, item => item.GetProperty("used").GetInt64());
        // This request itself.
        (shown["requests"], shown["database_connections"], shown["streams"]).ShouldBe((1, 1, 0));
        shown.Keys.ShouldBe(
            [
                .. Limits.All.Select(limit => limit.Name), "endpoint_requests", "tenant_requests", "key_requests", "failed_authentications",
                "evaluation_steps", "requests", "streams", "feed_readers", "database_connections",
            ]);
    }

    [Fact]
    public async Task Evaluations_take_their_steps_from_a_bucket_of_their_tenant_and_who_comes_back_when_told_is_answered()
    {
        var (mine, other) = (await fixture.Host.CreateTenant(), await fixture.Host.CreateTenant());
        var made = 0;
        for (var round = 0; round < 3; round++)
        {
            var last = await Window(mine, made);
            for (; last.StatusCode == HttpStatusCode.Created; last = await Window(mine, made))
            {
                made++.ShouldBeLessThan(10);
                Field(last, "RateLimit").ShouldContain("\"evaluation_steps\";r=");
                Field(last, "RateLimit-Policy").ShouldContain("\"evaluation_steps\";q=250000;w=25");
            }

            last.StatusCode.ShouldBe(HttpStatusCode.TooManyRequests);
            JsonElement.Parse(await last.Content.ReadAsStringAsync()).GetProperty("limit").GetString().ShouldBe("evaluation_steps");
            (await mine.Client.Call("GET", "/v1/windows")).Json.GetProperty("items").GetArrayLength().ShouldBe(made);
            var wait = last.Headers.RetryAfter!.Delta!.Value;
            wait.ShouldBeLessThanOrEqualTo(TimeSpan.FromSeconds(25));
            (await Window(other, round)).StatusCode.ShouldBe(HttpStatusCode.Created);
            fixture.Clock.Advance(wait);
            (await Window(mine, made++)).StatusCode.ShouldBe(HttpStatusCode.Created);
        }

        // For the first time of a month it makes all of them: some 70,000 steps for ten months, and more for the window's openings.
        static Task<HttpResponseMessage> Window(TestTenant tenant, int number) =>
            tenant.Client.PostAsJsonAsync(new Uri("/v1/windows", UriKind.Relative), new
            {
                name = $"w{number}", kind = "deny", timeZone = "UTC", duration = "PT1H",
                rrule = $"FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR,SA,SU;BYHOUR={string.Join(',', Enumerable.Range(0, 24))}"
                    + ";BYMINUTE=0,5,10,15,20,25,30,35,40,45;BYSETPOS=1",
            });
    }

    /// <summary>Within any time, a bucket gives no more than it holds and what it got meanwhile, and it gives all of that.</summary>
    [Fact]
    public void A_bucket_gives_what_it_holds_and_what_it_gets()
    {
        var random = new Random();
        for (var round = 0; round < Sample.Of(200); round++)
        {
            var clock = new StoppedClock();
            var rate = new Rate { PerSecond = random.Next(1, 50), Burst = random.Next(1, 100) };
            var bucket = new TokenBucket(rate, clock);
            var model = (double)rate.Burst;
            for (var step = 0; step < 50; step++)
            {
                var time = TimeSpan.FromMilliseconds(random.Next(0, 500));
                clock.Advance(time);
                model = Math.Min(rate.Burst, model + (time.TotalSeconds * rate.PerSecond));
                var tokens = random.Next(1, (int)rate.Burst + 1);
                var taken = bucket.Take(tokens, out var wait);
                if (Math.Abs(model - tokens) > 0.001)
                {
                    taken.ShouldBe(model > tokens, $"{rate} {step}");
                }

                model -= taken ? tokens : 0;
                if (!taken && random.Next(4) == 0)
                {
                    clock.Advance(wait);
                    bucket.Take(tokens, out _).ShouldBeTrue("after the time it named");
                    model = Math.Max(0, Math.Min(rate.Burst, model + (wait.TotalSeconds * rate.PerSecond)) - tokens);
                }
            }
        }
    }

    private static string Field(HttpResponseMessage answer, string name) => string.Join(", ", answer.Headers.GetValues(name));

    private static async Task<List<HttpStatusCode>> Statuses(HttpClient client, int times, string path = "/v1/me")
    {
        var statuses = new List<HttpStatusCode>();
        for (var i = 0; i < times; i++)
        {
            using var answer = await client.GetAsync(path);
            statuses.Add(answer.StatusCode);
        }

        return statuses;
    }
}
