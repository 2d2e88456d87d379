using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using NetAutomation.Persistence;
using NetAutomation.Runs;
using NetAutomation.Tests.Runs;
using NetAutomation.Tests.Support;
using Npgsql;

namespace NetAutomation.Tests.Billing;

/// <summary>PostgreSQL with its usual settings is killed while runs start and end, corrections are made and hours are sealed.</summary>
[Collection("Money at length")]
public sealed class DatabaseKilledTests : IAsyncDisposable
{
    private readonly string _folder = Path.Combine(Path.GetTempPath(), $"na-killed-{Guid.NewGuid():n}"[..20]);
    private readonly ConcurrentBag<string> _accepted = [];
    private RunFixture _fixture = null!;
    private volatile bool _over;

    [Fact]
    public async Task Killed_under_load_the_books_still_add_up()
    {
        await StartServer();
        var database = await Migrated();
        await using var fixture =
            _fixture = await RunFixture.Start(database, 1, upkeep: false, builder => builder.Logging.ClearProviders());
        await fixture.Sql("update runs.tenant_quota set max_running = 1000");
        Task[] load =
            [.. Enumerable.Range(0, 4).Select(_ => Launch()), .. Enumerable.Range(0, 4).Select(i => Work($"w{i}")), Correct(), Seal()];
        for (var kill = 0; kill < 3; kill++)
        {
            var before = _accepted.Count;
            await Eventually.Holds(() => _accepted.Count >= before + 40);
            await Kill();
            await StartServer();
            fixture.Reconnect();
        }

        await Eventually.Holds(() => _accepted.Count >= 160);
        _over = true;
        await Task.WhenAll(load);
        await CompleteRest();

        var (tenant, runs) = (fixture.Tenant.Id.Value, _accepted.Distinct().Count());
        (await fixture.Scalar<long>("select count(*) from runs.run"))
            .ShouldBeInRange(runs, runs + 4, "an accepted run is there once; each launcher may have one that was not answered");
        (await fixture.Scalar<long>("select count(*) from runs.run where not terminal")).ShouldBe(0);
        (await fixture.Scalar<long>("select count(*) - 3 * (select count(*) from runs.run) from billing.settlement")).ShouldBe(0);
        (await fixture.Scalar<long>("select count(*) from billing.charge where reservation_id is not null")).ShouldBeGreaterThan(100);
        (await fixture.Scalar<long>("select count(*) from billing.metering_record")).ShouldBeGreaterThan(0);
        (await fixture.Scalar<string>(
            $"select coalesce(string_agg(r::text, '; '), '') from billing.reconcile('{tenant}', 'epoch', '48 hours') r")).ShouldBeEmpty();
    }

    public async ValueTask DisposeAsync()
    {
        NpgsqlConnection.ClearAllPools();
        await Server("stop");
        Directory.Delete(_folder, recursive: true);
    }

    /// <summary>A customer that repeats a request with its key until it is answered.</summary>
    private async Task Launch()
    {
        while (!_over)
        {
            var key = $"test-{Guid.NewGuid():n}";
            await Retry(async () =>
            {
                using var request =
                    new HttpRequestMessage(HttpMethod.Post, "/v1/runs") { Content = JsonContent.Create(_fixture.Apply("10.9.0.0/16")) };
                request.Headers.Add("Idempotency-Key", key);
                using var response = await _fixture.Client.SendAsync(request);
                var text = await response.Content.ReadAsStringAsync();
                if (response.StatusCode != HttpStatusCode.Accepted)
                {
                    ((int)response.StatusCode).ShouldBeGreaterThanOrEqualTo(500, text);
                    return false;
                }

                _accepted.Add(new Answer(response.StatusCode, text, null, null).Id);
                return true;
            });
        }
    }

    private async Task Work(string name)
    {
        while (!_over)
        {
            await Try(() => ExecuteOne(name));
        }
    }

    private async Task<bool> ExecuteOne(string name)
    {
        if (await _fixture.Claim(name) is not { } run)
        {
            return false;
        }

        // Like the real worker, this one survives an outage: it repeats each step, and the fence decides.
        await Retry(() => Done(_fixture.Journal(journal => journal.Start(run, default))));
        await Try(
            () => _fixture.Write(
                run, RunFixture.Started(run.Devices[0].Id), RunFixture.Reported(run.Devices[0].Id, DeviceOutcome.Changed)));
        await Retry(() => Done(_fixture.Finish(run)));
        return true;
    }

    private async Task Correct()
    {
        var staff = _fixture.Host.Operator();
        var i = 0;
        while (!_over)
        {
            i++;
            var body =
                new
                {
                    tenantId = _fixture.Tenant.Id.ToString(), kind = i % 3 == 2 ? "credit" : "debit", document = $"D-{i}",
                    reason = "sample", amount = new { amount = "0.013", currency = "USD" }
                };
            await Retry(async () =>
                (await staff.Call(
                    "POST", "/operator/v1/adjustments",
                    body)).Status is HttpStatusCode.Created or HttpStatusCode.OK or HttpStatusCode.UnprocessableEntity);
        }
    }

    private async Task Seal()
    {
        var hour = DateTimeOffset.UtcNow.AddHours(2);
        while (!_over)
        {
            hour += TimeSpan.FromHours(1);
            await Try(async () =>
            {
                await ModelMarketplace.Seal(_fixture, _fixture.Tenant.Id, hour);
                return false;
            });
        }
    }

    private async Task Retry(Func<Task<bool>> step)
    {
        bool done;
        do
        {
            done = await Try(step);
        }
        while (!done && !_over);
    }

    /// <summary>True for every answer, whatever its value.</summary>
    private static async Task<bool> Done(Task<bool> answer)
    {
        await answer;
        return true;
    }

    /// <summary>Tries a step; returns false, after a short wait, if there was nothing to do or the database was down.</summary>
    private static async Task<bool> Try(Func<Task<bool>> step)
    {
        try
        {
            if (await step())
            {
                return true;
            }
        }
        catch (Exception fault) when (fault is HttpRequestException or OperationCanceledException || Outage.Is(fault))
        {
            // The database is down; the caller tries again.
        }

        await Task.Delay(20);
        return false;
    }

    /// <summary>Rescues the runs of killed claims by their leases, as the service does, and completes them.</summary>
    private async Task CompleteRest()
    {
        while (await _fixture.Scalar<long>("select count(*) from runs.run where not terminal") > 0)
        {
            await _fixture.Sql(
                "update runs.run set lease_until = now() - interval '1 hour' where state in ('claimed', 'running', 'cancelling')");
            await using (var scope = _fixture.Host.Services.CreateAsyncScope())
            {
                await scope.ServiceProvider.GetRequiredService<RunQueue>().Rescue(TimeSpan.Zero, TimeSpan.Zero, default);
            }

            var more = true;
            while (more)
            {
                more = await ExecuteOne("last");
            }
        }
    }

    private async Task Kill()
    {
        var postmaster =
            int.Parse((await File.ReadAllLinesAsync(Path.Combine(_folder, "data", "postmaster.pid")))[0], CultureInfo.InvariantCulture);
        using var process = Process.GetProcessById(postmaster);
        process.Kill();
        await process.WaitForExitAsync();
    }

    /// <summary>PostgreSQL refuses to start until the last child of the killed server has ended.</summary>
    private async Task StartServer()
    {
        var patience = Stopwatch.StartNew();
        while (await Server("start") != 0)
        {
            patience.Elapsed.ShouldBeLessThan(TimeSpan.FromMinutes(1));
        }
    }

    private async Task<int> Server(string verb)
    {
        var start = new ProcessStartInfo(Path.Combine(PostgresServer.RepositoryRoot(), "deploy/local/postgres"), [verb, _folder])
        {
            UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true,
            Environment = { ["NETAUTOMATION_PG_UNSAFE"] = "0" },
        };
        using var process = Process.Start(start)!;
        // The server keeps the pipes open, so only the script is waited for.
        await process.WaitForExitAsync();
        return process.ExitCode;
    }

    private async Task<TestDatabase> Migrated()
    {
        string Of(string database, string role) =>
            $"Host={_folder};Username={role};Database={database};Maximum Pool Size=20;Include Error Detail=true";
        await using (var connection = new NpgsqlConnection(Of("postgres", "postgres") + ";Pooling=false"))
        {
            await connection.OpenAsync();
            await using var command = new NpgsqlCommand("create database books", connection);
            await command.ExecuteNonQueryAsync();
        }

        await Migrations.Apply(Of("books", "postgres"), CancellationToken.None);
        return new TestDatabase(Of("books", "postgres"), Of("books", "na_app"), Of("books", "na_system"));
    }
}
