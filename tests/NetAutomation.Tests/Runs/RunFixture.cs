using System.Collections.Concurrent;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using NetAutomation.Execution;
using NetAutomation.Runs;
using NetAutomation.Tests.Support;
using Npgsql;

namespace NetAutomation.Tests.Runs;

/// <summary>
/// The service with the real blocks and a tenant that bought <c>static-routes</c> and has devices at a site with a connected connector. The
/// test plays the worker: it claims through the queue and reports through the journal, as the real worker does.
/// </summary>
internal sealed class RunFixture : IAsyncDisposable
{
    private readonly ConcurrentDictionary<(RunId, long), long> _written = new();

    private readonly NpgsqlDataSource _owner, _app;

    private RunFixture(ServiceHost host, TestDatabase database)
    {
        (Host, Database) = (host, database);
        // Kept for the fixture's life: a new source reads all types of the database, which costs more than what most statements do.
        (_owner, _app) = (NpgsqlDataSource.Create(database.Owner), NpgsqlDataSource.Create(database.App));
    }

    public TestDatabase Database { get; }

    public ServiceHost Host { get; }

    public TestTenant Tenant { get; private set; } = null!;

    public HttpClient Client => Tenant.Client;

    public IReadOnlyList<DeviceId> Devices { get; private set; } = [];

    public static async Task<RunFixture> Start(
        PostgresServer postgres, int devices = 3, bool upkeep = false, Action<WebApplicationBuilder>? configure = null) =>
        await Start(await postgres.Create(), devices, upkeep, configure);

    public static async Task<RunFixture> Start(
        TestDatabase database, int devices, bool upkeep, Action<WebApplicationBuilder>? configure = null)
    {
        var host = await ServiceHost.Start(database, upkeep ? [] : ["Roles:1=api"], configure);
        var fixture = new RunFixture(host, database);
        fixture.Tenant = await host.CreateTenant();
        fixture.Devices = await fixture.AddDevices(fixture.Tenant, devices);
        await fixture.Post(fixture.Client, "/v1/purchases", new { block = "static-routes", kind = "pay_per_use" });
        return fixture;
    }

    /// <summary>Gives a tenant a site, a connected connector, a credential and devices with pinned keys.</summary>
    public async Task<IReadOnlyList<DeviceId>> AddDevices(TestTenant tenant, int devices)
    {
        var site = (await Post(tenant.Client, "/v1/sites", new { name = "ams" }))["id"]!.GetValue<string>();
        var credential =
            (await Post(
                tenant.Client, "/v1/credentials",
                new { name = "netops", username = "netops", kind = "password", password = "sample-secret" }))["id"]!.GetValue<string>();
        var connector = (await Post(tenant.Client, "/v1/connectors", new { name = "c1", siteId = site }))["id"]!.GetValue<string>();
        await Sql(
            """
            insert into connectors.connector_session (tenant_id, id, connector_id, replica, seen_at)
            values ($1, $2, $3, 'test', now() + interval '1 day')
            """, tenant.Id.Value, Guid.CreateVersion7(), ConnectorId.Parse(connector).Value);
        var ids = new List<DeviceId>();
        for (var i = 1; i <= devices; i++)
        {
            var device = await Post(tenant.Client, "/v1/devices", new
            {
                name = $"r{i:000}", siteId = site, address = $"10.66.0.{i + 1}", port = 22, platform = "frr", credentialId = credential,
                hostKeySha256 = "SHA256:" + new string('A', 42) + "E", labels = new { role = i == 1 ? "edge" : "core" },
            });
            ids.Add(DeviceId.Parse(device["id"]!.GetValue<string>()));
        }

        return ids;
    }

    public object Apply(params string[] prefixes) => new
    {
        block = "static-routes", mode = "apply", targets = new { all = true },
        input = new { routes = prefixes.Select(prefix => new { prefix, nextHop = "10.66.0.1" }) },
    };

    public async Task<RunId> StartRun(object? body = null, HttpClient? client = null) =>
        RunId.Parse((await Post(client ?? Client, "/v1/runs", body ?? Apply("10.9.0.0/16")))["id"]!.GetValue<string>());

    public static async Task<JsonNode> Post(HttpClient client, string path, object body, string? key, int status)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = JsonContent.Create(body) };
        request.Headers.Add("Idempotency-Key", key ?? $"test-{Guid.NewGuid():n}");
        using var answer = await client.SendAsync(request);
        var text = await answer.Content.ReadAsStringAsync();
        ((int)answer.StatusCode).ShouldBe(status, text);
        return JsonNode.Parse(text)!;
    }

    public async Task<JsonNode> Post(HttpClient client, string path, object body)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = JsonContent.Create(body) };
        request.Headers.Add("Idempotency-Key", $"test-{Guid.NewGuid():n}");
        using var answer = await client.SendAsync(request);
        var text = await answer.Content.ReadAsStringAsync();
        answer.IsSuccessStatusCode.ShouldBeTrue($"{path}: {text}");
        return JsonNode.Parse(text)!;
    }

    public static async Task<JsonNode> Get(HttpClient client, string path, int status = 200)
    {
        using var answer = await client.GetAsync(path);
        var text = await answer.Content.ReadAsStringAsync();
        ((int)answer.StatusCode).ShouldBe(status, text);
        return JsonNode.Parse(text)!;
    }

    public Task<ClaimedRun?> Claim(string worker = "w1", bool last = false) =>
        new Journals(Host.Services.GetRequiredService<IServiceScopeFactory>(), TimeProvider.System).Claim(worker, last);

    public Task<bool> Journal(Func<RunJournal, Task<bool>> write) => With(write);

    public Task<bool> Finish(ClaimedRun run, string? rest = null) =>
        With<RunEndings, bool>(endings => endings.Finish(run, rest, default));

    /// <summary>Writes as the holder of the run: each batch names the number of earlier events.</summary>
    public async Task<bool> Write(ClaimedRun run, params RunEvent[] events)
    {
        var before = _written.GetValueOrDefault((run.Id, run.Fence));
        var written = await Journal(journal => journal.Write(run, before, events, default));
        _written[(run.Id, run.Fence)] = before + (written ? events.Length : 0);
        return written;
    }

    public static RunEvent Started(DeviceId device) => new(DateTimeOffset.UtcNow, "device_started", device, "{}");

    public static RunEvent Reported(DeviceId device, DeviceOutcome outcome, bool contacted = true) =>
        RunEvent.Of(DateTimeOffset.UtcNow, new DeviceReport(
            device, outcome, outcome == DeviceOutcome.Changed, contacted, outcome is DeviceOutcome.Failed ? "task_failed" : null, null,
            null, "+ ip route", null, null, []));

    /// <summary>Completes a claimed run: each device gets the outcome at its position, the rest <c>changed</c>.</summary>
    public async Task Work(ClaimedRun run, params DeviceOutcome[] outcomes)
    {
        (await Journal(journal => journal.Start(run, default))).ShouldBeTrue();
        for (var i = 0; i < run.Devices.Count; i++)
        {
            var device = run.Devices[i].Id;
            (await Write(run, Started(device), Reported(device, i < outcomes.Length ? outcomes[i] : DeviceOutcome.Changed))).ShouldBeTrue();
        }

        (await Finish(run)).ShouldBeTrue();
    }

    /// <summary>The server was another one meanwhile: no statement takes an old connection.</summary>
    public void Reconnect()
    {
        _owner.Clear();
        _app.Clear();
    }

    /// <summary>Runs a statement as the owner of the schema.</summary>
    public Task Sql(string sql, params object[] values) => _owner.Execute(sql, values);

    public async Task<T> Scalar<T>(string sql)
    {
        await using var command = _owner.CreateCommand(sql);
        return (T)(await command.ExecuteScalarAsync())!;
    }

    /// <summary>Runs a statement as the application role within the tenant.</summary>
    public async Task AppSql(string sql)
    {
        await using var connection = await _app.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await using (var tenant = new NpgsqlCommand($"select set_config('app.tenant', '{Tenant.Id.Value}', true)", connection))
        {
            await tenant.ExecuteNonQueryAsync();
        }

        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync();
        await transaction.CommitAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await Host.DisposeAsync();
        await _owner.DisposeAsync();
        await _app.DisposeAsync();
    }

    private async Task<TResult> With<TService, TResult>(Func<TService, Task<TResult>> use)
        where TService : notnull
    {
        await using var scope = Host.Services.CreateAsyncScope();
        return await use(scope.ServiceProvider.GetRequiredService<TService>());
    }

    private Task<bool> With(Func<RunJournal, Task<bool>> use) => With<RunJournal, bool>(use);
}
