using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using NetAutomation.Tests.Runs;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Web;

public sealed class SecretsCanaryTests(PostgresServer postgres)
{
    [Fact]
    public async Task A_secret_stands_in_no_table_no_log_line_and_no_answer()
    {
        using var lines = new LogLines();
        await using var fixture = await RunFixture.Start(postgres, configure: builder =>
        {
            builder.Logging.AddProvider(lines).AddFilter<LogLines>(null, LogLevel.Trace);
            builder.Services.Configure<LoggerFilterOptions>(options => options.MinLevel = LogLevel.Trace);
        });
        await using var rows = new DatabaseRows(fixture.Database);
        var operations = await ApiOperation.All(fixture.Client);
        var tenant = await FullTenant.Fill(fixture, fixture.Tenant, operations);

        var (password, rotated, refused, enable) = (Canary(), Canary(), Canary(), Canary());
        var created =
            await fixture.Post(tenant.Client, "/v1/credentials", new { name = "canary", username = "u", kind = "password", password });
        (await tenant.Client.Call("PATCH", $"/v1/credentials/{created["id"]}", new { password = rotated }, "*")).Status.ShouldBe(
            System.Net.HttpStatusCode.OK);
        await fixture.Post(
            tenant.Client, "/v1/credentials",
            new { name = "canary-2", username = "u", kind = "enable", password = rotated, enablePassword = enable });
        var value = Canary();
        var secret = await fixture.Post(tenant.Client, "/v1/credentials", new { name = "canary-3", kind = "secret", password = value });
        await fixture.Post(tenant.Client, "/v1/purchases", new { block = "bgp-neighbors", kind = "pay_per_use" });
        var neighbor = new { address = "10.66.0.9", remoteAs = 65002, password = new { credentialId = $"{secret["id"]}" } };
        await fixture.StartRun(
            new
            {
                block = "bgp-neighbors", mode = "apply", targets = new { all = true },
                input = new { asn = 65001, neighbors = new[] { neighbor } },
            },
            tenant.Client);
        var refusals = new List<JsonNode>
        {
            await RunFixture.Post(
                tenant.Client, "/v1/credentials", new { name = "canary", username = "u", kind = "password", password = refused }, null,
                409),
            await RunFixture.Post(
                tenant.Client, "/v1/credentials", new { name = "c", username = "u", kind = "ssh_key", privateKey = refused }, null, 422),
            await RunFixture.Post(
                tenant.Client, "/v1/credentials",
                new { name = "c", username = "u", kind = "password", password = refused, surprise = refused }, null, 400),
            await RunFixture.Post(
                tenant.Client, "/v1/credentials", new { name = "c", username = "u", kind = refused, password = refused }, null, 400),
            await RunFixture.Post(
                tenant.Client, "/v1/credentials", new { name = "c", username = "u", kind = "password", password = new[] { refused } }, null,
                400),
        };
        var apiKey =
            (await fixture.Post(tenant.Client, "/v1/api-keys", new { name = "k", memberId = tenant.PrefixId("mem_") }))[
                "secret"]!.GetValue<string>();
        var join =
            (await fixture.Post(tenant.Client, "/v1/connectors", new { name = "c9", siteId = tenant.PrefixId("sit_") }))[
                "joinToken"]!.GetValue<string>();
        string[] secrets =
            [value, password, rotated, refused, enable, apiKey, apiKey[^20..], join, tenant.Tenant.Key, tenant.Tenant.Key[^20..]];

        using var client = fixture.Host.Customer(tenant.Tenant.EndpointId, apiKey);
        var answers = refusals.ConvertAll(refusal => refusal.ToJsonString());
        foreach (var read in operations.Where(each => each.Verb == "GET"))
        {
            answers.Add((await client.Call("GET", read.At(name => name switch
            {
                "block" => "static-routes",
                "version" => "1.0.0",
                "rid" => "linux-x64",
                "name" => FullTenant.Artifact,
                _ => tenant.PathId(read, name),
            }))).Text);
        }

        foreach (var hidden in secrets)
        {
            (await rows.Holding(hidden)).ShouldBeEmpty();
            answers.ShouldAllBe(answer => !answer.Contains(hidden, StringComparison.Ordinal));
            lines.All.Where(line => line.Contains(hidden, StringComparison.Ordinal)).ShouldBeEmpty();
        }

        // Proof that the search works: it finds a text that is there.
        lines.All.Count.ShouldBeGreaterThan(1000);
        (await rows.Holding("canary-2")).ShouldContain("inventory.credential");
    }

    private static string Canary() => $"canary{Guid.NewGuid():n}";

    /// <summary>Collects all log lines of the process, at every level.</summary>
    private sealed class LogLines : ILoggerProvider, ILogger
    {
        public ConcurrentQueue<string> All { get; } = [];

        public ILogger CreateLogger(string categoryName) => this;

        public bool IsEnabled(LogLevel logLevel) => true;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            All.Enqueue(formatter(state, exception));
            if (state is IEnumerable<KeyValuePair<string, object?>> values)
            {
                All.Enqueue(string.Join(' ', values.Select(value => value.Value)));
            }

            if (exception is not null)
            {
                All.Enqueue(exception.ToString());
            }
        }

        public void Dispose()
        {
        }
    }
}
