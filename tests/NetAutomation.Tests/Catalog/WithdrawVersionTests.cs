using System.Net;
using Microsoft.Extensions.DependencyInjection;
using NetAutomation.Catalog.Publish;
using NetAutomation.Execution;
using NetAutomation.Persistence;
using NetAutomation.Tests.Billing;
using NetAutomation.Tests.Runs;
using NetAutomation.Tests.Scheduling;
using NetAutomation.Tests.Support;
using Npgsql;

namespace NetAutomation.Tests.Catalog;

/// <summary>The provider's staff withdraws a version of a block that was wrong.</summary>
public sealed class WithdrawVersionTests(PostgresServer postgres)
{
    private const string Block = "/v1/blocks/static-routes";

    [Fact]
    public async Task A_withdrawn_version_starts_nothing_and_callers_without_a_version_get_the_newest_that_is_left()
    {
        await using var fixture = await RunFixture.Start(postgres, 1);
        using var staff = fixture.Host.Operator();
        var old = await Newest(fixture);
        var number = Version.Parse(old);
        var wrong = $"{number.Major}.{number.Minor + 1}.0";
        await Publish(fixture, old, wrong);
        (await Newest(fixture)).ShouldBe(wrong);
        var quote = await fixture.Post(fixture.Client, "/v1/quotes", Apply());
        var quoted = new { quoteId = $"{quote["id"]}" };
        $"{quote["version"]}".ShouldBe(wrong);
        var due = DateTimeOffset.UtcNow;
        var pinned = await fixture.Post(
            fixture.Client, "/v1/schedules",
            new { name = "pinned", cron = ScheduleFixture.Minute(due), timeZone = "UTC", run = Apply(wrong), misfire = "once" });
        var schedule = ScheduleId.Parse($"{pinned["id"]}");
        await fixture.SetNextDue(schedule, due.AddMinutes(-1));

        var withdrawn = (await Withdraw(staff, wrong)).Must(HttpStatusCode.OK).Json;
        (withdrawn.Text("block"), withdrawn.Text("version"), withdrawn.Text("state"), withdrawn.Text("newest"))
            .ShouldBe(("static-routes", wrong, "withdrawn", old));
        (await Withdraw(staff, wrong, "again")).Must(HttpStatusCode.OK).Text.ShouldBe($"{withdrawn}");
        (await fixture.Scalar<string>(
            """
            select string_agg(concat_ws(' ', member, subject, data ->> 'reason'), ', ') from web.audit_event
            where action = 'block_version.withdrawn'
            """)).ShouldBe($"{ServiceHost.OperatorName} static-routes/{wrong} wrong ok");

        foreach (var (path, body) in ((string, object)[])[
            ("/v1/quotes", Apply(wrong)), ("/v1/runs", Apply(wrong)), ("/v1/runs", quoted)])
        {
            (await Refusal(fixture, path, body)).ShouldBe("/problems/version_withdrawn", path);
        }

        await fixture.Host.Fire();
        (await fixture.Occurrences(schedule)).ShouldBe(["refused version_withdrawn"]);
        $"{(await fixture.Post(fixture.Client, "/v1/quotes", Apply()))["version"]}".ShouldBe(old);
        var shown = (await fixture.Client.Call("GET", Block)).Must(HttpStatusCode.OK).Json.GetProperty("versions");
        shown.EnumerateArray().Select(version => $"{version.Text("version")} {version.Text("state")}")
            .ShouldBe([$"{wrong} withdrawn", $"{old} published"]);
        (await fixture.Client.Call("GET", "/v1/blocks?search=static-routes")).Must(HttpStatusCode.OK).Json.GetProperty("items")
            .EnumerateArray().Select(block => block.Text("version")).ShouldBe([old]);
    }

    [Fact]
    public async Task A_queued_run_of_a_withdrawn_version_ends_without_a_device_started_and_free_of_charge()
    {
        await using var fixture = await RunFixture.Start(postgres, 2);
        using var staff = fixture.Host.Operator();
        var run = await fixture.StartRun();
        (await Withdraw(staff, await Newest(fixture))).Must(HttpStatusCode.OK);
        var services = fixture.Host.Services;
        var execution = ActivatorUtilities.CreateInstance<RunExecution>(
            services, new Journals(services.GetRequiredService<IServiceScopeFactory>(), TimeProvider.System));
        await execution.Execute((await fixture.Claim())!, default);

        var view = await RunFixture.Get(fixture.Client, $"/v1/runs/{run}");
        ($"{view["state"]}", $"{view["summary"]!["not_started"]}", $"{view["charged"]!["amount"]}").ShouldBe(("failed", "2", "0.000000"));
        (await RunFixture.Get(fixture.Client, $"/v1/runs/{run}/devices"))["items"]!.AsArray()
            .Select(device => $"{device!["outcome"]} {device["code"]}").Distinct().ShouldBe(["not_started version_withdrawn"]);
        (await fixture.Scalar<long>("select count(*) from web.audit_event where action = 'credentials.opened'"))
            .ShouldBe(0, "no credential is opened for it");
        (await fixture.Scalar<long>("select count(*) from runs.device_hold")).ShouldBe(0);
        (await Refusal(fixture, $"/v1/runs/{run}:relaunch", new { outcomes = new[] { "not_started" } }))
            .ShouldBe("/problems/version_withdrawn");
    }

    [Fact]
    public async Task Where_no_version_is_left_nothing_starts_until_a_higher_one_is_published()
    {
        await using var fixture = await RunFixture.Start(postgres, 1);
        using var staff = fixture.Host.Operator();
        var old = await Newest(fixture);
        (await Withdraw(staff, "9.9.9")).Must(HttpStatusCode.NotFound);
        (await Withdraw(staff, old, "")).Must(HttpStatusCode.UnprocessableEntity).Faults.ShouldBe(["/reason length"]);
        (await Withdraw(staff, old)).Must(HttpStatusCode.OK).Json.GetProperty("newest").GetString().ShouldBeNull();
        (await fixture.Client.Call("POST", "/v1/quotes", Apply())).Must(HttpStatusCode.UnprocessableEntity).Faults
            .ShouldBe(["/version version_withdrawn"]);
        (await Refusal(fixture, "/v1/purchases", new { block = "static-routes", kind = "owned" })).ShouldBe("/problems/version_withdrawn");
        (await fixture.Client.Call("GET", "/v1/blocks?search=static-routes")).Must(HttpStatusCode.OK).Json.GetProperty("items")
            .GetArrayLength().ShouldBe(0);
        (await Should.ThrowAsync<PostgresException>(
            () => fixture.Sql("update catalog.block_version set state = 'published' where state = 'withdrawn'"))).SqlState
            .ShouldBe(PostgresErrorCodes.RestrictViolation);

        // A right to the versions of one major is no right to those of the next.
        var number = Version.Parse(old);
        await Publish(fixture, old, $"{number.Major + 1}.0.0");
        (await fixture.Client.Call("POST", "/v1/quotes", Apply())).Must(HttpStatusCode.UnprocessableEntity).Faults
            .ShouldBe(["/version version_withdrawn"]);
        await Publish(fixture, old, $"{number.Major}.{number.Minor}.{number.Build + 1}");
        $"{(await fixture.Post(fixture.Client, "/v1/quotes", Apply()))["version"]}"
            .ShouldBe($"{number.Major}.{number.Minor}.{number.Build + 1}");
    }

    private static Task<Answer> Withdraw(HttpClient staff, string version, string reason = "wrong ok") =>
        staff.Call("POST", $"/operator/v1/blocks/static-routes/versions/{version}:withdraw", new { reason });

    private static async Task<string> Refusal(RunFixture fixture, string path, object body) =>
        (await RunFixture.Post(fixture.Client, path, body, null, 422))["type"]!.GetValue<string>();

    private static object Apply(string? version = null) => new
    {
        block = "static-routes", version, mode = "apply", targets = new { all = true },
        input = new { routes = new[] { new { prefix = "10.9.0.0/16", nextHop = "10.66.0.1" } } },
    };

    private static async Task<string> Newest(RunFixture fixture) =>
        (await fixture.Client.Call("GET", Block)).Must(HttpStatusCode.OK).Json.GetProperty("versions")[0].Text("version");

    /// <summary>Publishes the block as it is under another version.</summary>
    private static async Task Publish(RunFixture fixture, string old, string version)
    {
        var source = $"{PostgresServer.RepositoryRoot()}/src/Blocks/static-routes";
        var content = Directory.CreateTempSubdirectory("na-blocks-");
        try
        {
            foreach (var file in Directory.GetFiles(source, "*", SearchOption.AllDirectories))
            {
                var target = Path.Combine(content.FullName, "static-routes", Path.GetRelativePath(source, file));
                Directory.CreateDirectory(Path.GetDirectoryName(target)!);
                await File.WriteAllTextAsync(target, (await File.ReadAllTextAsync(file)).Replace($"version: {old}", $"version: {version}"));
            }

            await using var scope = fixture.Host.Services.CreateAsyncScope();
            var db = scope.ServiceProvider.GetRequiredService<SystemDb>();
            await using var transaction = await db.Database.BeginTransactionAsync();
            (await BlockPublisher.Publish(db, content.FullName, default)).ShouldBeEmpty();
            await transaction.CommitAsync();
        }
        finally
        {
            content.Delete(recursive: true);
        }
    }
}
