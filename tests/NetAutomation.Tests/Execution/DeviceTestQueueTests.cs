using System.Net;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using NetAutomation.Execution.Probe;
using NetAutomation.Tests.Runs;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Execution;

/// <summary>Tests of many devices as a customer and as workers see them; the test plays the workers.</summary>
public sealed class DeviceTestQueueTests(PostgresServer postgres)
{
    [Fact]
    public async Task A_test_is_followed_by_counts_and_pages_until_its_last_result()
    {
        await using var fixture = await RunFixture.Start(postgres, 3);
        var path = await Start(fixture.Client);
        var waiting = fixture.Client.Call("GET", $"{path}?wait=60");
        var begun = (await fixture.Client.Call("GET", path)).Must(HttpStatusCode.OK).Json;
        begun.GetProperty("state").GetString().ShouldBe("running");
        Counts(begun).ShouldBe("3 0 0 {}");
        begun.GetProperty("items").EnumerateArray().ShouldAllBe(item => item.GetProperty("reachable").ValueKind == JsonValueKind.Null);

        var test = (await Lease(fixture))!;
        await Record(
            fixture, test, new(fixture.Devices[0], true, "auth", RttMs: 7, HostKeySha256: "SHA256:key"),
            new(fixture.Devices[1], false, "tcp", "connect_timeout"));
        Counts((await fixture.Client.Call("GET", path)).Json).ShouldBe("3 2 1 {\"connect_timeout\":1}");
        test = (await Lease(fixture))!;
        (await Queue(fixture, queue => queue.Next(test, default))).ShouldHaveSingleItem().ShouldBe(fixture.Devices[2]);
        await Record(fixture, test, new(fixture.Devices[0], false, null, "internal_error"), new(fixture.Devices[2], true, "auth"));

        var over = (await waiting).Must(HttpStatusCode.OK).Json;
        over.GetProperty("state").GetString().ShouldBe("finished");
        Counts(over).ShouldBe("3 3 2 {\"connect_timeout\":1}", "the first result of a device stands");
        var page = (await fixture.Client.Call("GET", $"{path}?limit=2")).Json;
        var rest = (await fixture.Client.Call("GET", $"{path}?limit=2&after={page.GetProperty("next").GetString()}")).Json;
        rest.GetProperty("next").ValueKind.ShouldBe(JsonValueKind.Null);
        page.GetProperty("items").EnumerateArray().Concat(rest.GetProperty("items").EnumerateArray())
            .Select(item => $"{item.GetProperty("name").GetString()} {item.GetProperty("stage").GetString()}").Order()
            .ShouldBe(["r001 auth", "r002 tcp", "r003 auth"]);
    }

    [Fact]
    public async Task A_test_is_refused_as_the_targets_of_a_run_are_and_belongs_to_one_tenant()
    {
        await using var fixture = await RunFixture.Start(postgres, 1);
        var other = await fixture.Host.CreateTenant();
        var path = await Start(fixture.Client);
        foreach (var theirs in new[] { path, "/v1/device-tests/tst_0", $"/v1/device-tests/{DeviceTestId.New()}" })
        {
            (await other.Client.Call("GET", theirs)).Must(HttpStatusCode.NotFound);
        }

        foreach (var query in new[] { "wait=61", "wait=-1", "limit=0", "after=x" })
        {
            (await fixture.Client.Call("GET", $"{path}?{query}")).Must(HttpStatusCode.UnprocessableEntity);
        }

        foreach (var targets in new object[] { new { }, new { selector = "role=none" }, new { deviceIds = new[] { "dev_0" } } })
        {
            (await fixture.Client.Call("POST", "/v1/devices:test", new { targets })).Must(HttpStatusCode.UnprocessableEntity);
        }

        (await fixture.Client.Call("POST", "/v1/devices:test", new { })).Must(HttpStatusCode.BadRequest);
        (await other.Client.Call(
            "POST", "/v1/devices:test", new { targets = new { deviceIds = new[] { $"{fixture.Devices[0]}" } } }))
            .Must(HttpStatusCode.UnprocessableEntity).Faults.ShouldBe(["/targets/deviceIds/0 unknown_device"]);
        var viewer = await fixture.Host.CreateKey(fixture.Tenant, MemberRole.Viewer);
        (await viewer.Call("POST", "/v1/devices:test", new { targets = new { all = true } })).Must(HttpStatusCode.Forbidden);
        (await viewer.Call("GET", path)).Must(HttpStatusCode.OK);
    }

    [Fact]
    public async Task A_tenant_has_five_tests_open_and_no_more()
    {
        const int open = 5;
        await using var fixture = await RunFixture.Start(postgres, 1);
        var answers = await Task.WhenAll(
            Enumerable.Range(0, open + 3).Select(
                _ => fixture.Client.Call("POST", "/v1/devices:test", new { targets = new { all = true } })));
        answers.Count(answer => answer.Status == HttpStatusCode.Accepted).ShouldBe(open);
        answers.Where(answer => answer.Status != HttpStatusCode.Accepted).Select(answer => answer.Problem).Distinct()
            .ShouldBe(["limit_reached"]);
        await Record(fixture, (await Lease(fixture))!, new TestedDevice(fixture.Devices[0], true, "auth"));
        await Start(fixture.Client);
    }

    [Fact]
    public async Task Tenants_take_turns_and_each_has_one_lease_which_ends_with_its_worker()
    {
        await using var fixture = await RunFixture.Start(postgres, 1);
        var other = await fixture.Host.CreateTenant();
        var theirs = (await fixture.AddDevices(other, 1))[0];
        await Start(fixture.Client);
        await Start(fixture.Client);
        await Start(other.Client);

        var leases = new[] { (await Lease(fixture))!, (await Lease(fixture))! };
        leases.Select(lease => lease.TenantId).ShouldBe([fixture.Tenant.Id, other.Id], ignoreOrder: true);
        (await Lease(fixture)).ShouldBeNull("both tenants have one");
        var (mine, lost) = (leases.Single(each => each.TenantId == fixture.Tenant.Id), leases.Single(each => each.TenantId == other.Id));
        await Record(fixture, mine, new TestedDevice(fixture.Devices[0], true, "auth"));
        (await Lease(fixture))!.Id.ShouldNotBe(mine.Id, "the first is finished");

        // The worker has died, and another one goes on. What the first one says later frees nothing.
        await fixture.Sql("update execution.device_test set lease_until = now() where tenant_id = $1", other.Id.Value);
        var next = (await Lease(fixture))!;
        (next.Id, next.TenantId).ShouldBe((lost.Id, other.Id));
        await Record(fixture, lost);
        (await Lease(fixture)).ShouldBeNull();
        (await Queue(fixture, queue => queue.Next(next, default))).ShouldHaveSingleItem().ShouldBe(theirs);
        await Record(fixture, next, new TestedDevice(theirs, true, "auth"));
        (await Lease(fixture)).ShouldBeNull("all are finished, or leased");
    }

    [Fact]
    public async Task A_test_ends_in_time_without_a_worker_and_is_forgotten_after_thirty_days()
    {
        await using var fixture = await RunFixture.Start(postgres, 2);
        var (late, young) = (await Start(fixture.Client), await Start(fixture.Client));
        await Record(fixture, (await Lease(fixture))!, new TestedDevice(fixture.Devices[0], true, "auth"));
        await fixture.Sql("update execution.device_test set ends_by = now() where id = $1", IdOf(late));
        await Do(fixture, queue => queue.EndOverdue(default));
        var over = (await fixture.Client.Call("GET", late)).Json;
        over.GetProperty("state").GetString().ShouldBe("finished");
        Counts(over).ShouldBe("2 2 1 {\"hard_timeout\":1}");
        (await fixture.Client.Call("GET", young)).Json.GetProperty("state").GetString().ShouldBe("running");

        await fixture.Sql("update execution.device_test set finished_at = now() - interval '29 days' where id = $1", IdOf(late));
        await Do(fixture, queue => queue.Forget(default));
        (await fixture.Client.Call("GET", late)).Must(HttpStatusCode.OK);
        await fixture.Sql("update execution.device_test set finished_at = now() - interval '31 days' where id = $1", IdOf(late));
        await Do(fixture, queue => queue.Forget(default));
        (await fixture.Client.Call("GET", late)).Must(HttpStatusCode.NotFound);
        (await fixture.Scalar<long>("select count(*) from execution.device_test_result")).ShouldBe(2);
    }

    private static async Task<string> Start(HttpClient client)
    {
        var started = await RunFixture.Post(client, "/v1/devices:test", new { targets = new { all = true } }, null, 202);
        return $"/v1/device-tests/{started["id"]!.GetValue<string>()}";
    }

    private static Guid IdOf(string path) => DeviceTestId.Parse(path["/v1/device-tests/".Length..]).Value;

    private static string Counts(JsonElement test)
    {
        var counts = test.GetProperty("counts");
        return string.Join(' ', new[] { "total", "done", "reachable", "byCode" }.Select(name => $"{counts.GetProperty(name)}"));
    }

    private static Task<LeasedTest?> Lease(RunFixture fixture) => Queue(fixture, queue => queue.Lease(default));

    private static Task<bool> Record(RunFixture fixture, LeasedTest test, params TestedDevice[] results) =>
        Do(fixture, queue => queue.Record(test, results, default));

    private static Task<bool> Do(RunFixture fixture, Func<DeviceTestQueue, Task> work) => Queue(fixture, async queue =>
    {
        await work(queue);
        return true;
    });

    private static async Task<T> Queue<T>(RunFixture fixture, Func<DeviceTestQueue, Task<T>> work)
    {
        await using var scope = fixture.Host.Services.CreateAsyncScope();
        return await work(scope.ServiceProvider.GetRequiredService<DeviceTestQueue>());
    }
}
