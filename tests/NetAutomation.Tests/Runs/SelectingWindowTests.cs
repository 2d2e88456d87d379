using System.Net;
using Microsoft.Extensions.DependencyInjection;
using NetAutomation.Runs.Windows;
using NetAutomation.Tests.Scheduling;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Runs;

/// <summary>Windows look at a device when it changes, and not when a run starts or time passes.</summary>
public sealed class SelectingWindowTests(PostgresServer postgres)
{
    [Fact]
    public async Task A_run_that_starts_makes_windows_look_at_its_changed_devices_alone()
    {
        await using var fixture = await ScheduleFixture.Start(postgres, 2);
        await Deny(fixture, "role=edge");
        await Sweep(fixture);
        // What is stored counts: nobody asks the selectors again.
        await fixture.Sql("delete from runs.window_device");
        var run = await fixture.StartRun(Routes(fixture, 0));
        await Sweep(fixture);
        var first = (await fixture.Claim())!;
        first.Id.ShouldBe(run);
        await fixture.Work(first);

        await Label(fixture, 0, new { role = "core" });
        await Label(fixture, 1, new { role = "edge" });
        (await fixture.Scalar<long>("select count(*) from runs.relabelled_device")).ShouldBe(2);
        await fixture.StartRun(Routes(fixture, 1));
        (await fixture.Claim()).ShouldBeNull();
        (await fixture.Scalar<Guid>("select device_id from runs.relabelled_device")).ShouldBe(fixture.Devices[0].Value);
        (await fixture.Scalar<Guid>("select device_id from runs.window_device")).ShouldBe(fixture.Devices[1].Value);
    }

    [Fact]
    public async Task Changed_devices_are_looked_at_some_at_a_time_and_hold_their_runs_until_then()
    {
        await using var fixture = await ScheduleFixture.Start(postgres, 1);
        await Deny(fixture, "role=edge");
        var run = await fixture.StartRun();
        (await fixture.Claim()).ShouldBeNull();
        // Devices that went lately, more than one sweep looks at.
        await fixture.Sql(
            """
            insert into runs.relabelled_device (tenant_id, device_id)
            select $1, gen_random_uuid() from generate_series(1, 450)
            """, fixture.Tenant.Id.Value);
        await Label(fixture, 0, new { role = "core" });
        (await Why(fixture, run)).ShouldBe(["queue"], "the windows do not hold its devices any more");
        foreach (var left in new[] { 251, 51 })
        {
            await Sweep(fixture);
            (await fixture.Scalar<long>("select count(*) from runs.relabelled_device")).ShouldBe(left);
            (await fixture.Claim()).ShouldBeNull("nobody knows yet which windows hold its device");
        }

        await Sweep(fixture);
        (await fixture.Scalar<long>("select count(*) from runs.relabelled_device")).ShouldBe(0);
        (await fixture.Claim())!.Id.ShouldBe(run);
    }

    [Fact]
    public async Task A_device_that_is_made_or_removed_is_looked_at_like_one_that_changed()
    {
        await using var fixture = await ScheduleFixture.Start(postgres, 2);
        await Deny(fixture, "role=core");
        (await fixture.Scalar<long>("select count(*) from runs.window_device")).ShouldBe(1);
        var known = await RunFixture.Get(fixture.Client, $"/v1/devices/{fixture.Devices[1]}");
        var added = await fixture.Post(fixture.Client, "/v1/devices", new
        {
            name = "r900", siteId = $"{known["siteId"]}", address = "10.66.9.1", port = 22, platform = "frr",
            credentialId = $"{known["credentialId"]}", labels = new { role = "core" },
        });
        await Sweep(fixture);
        (await fixture.Scalar<long>("select count(*) from runs.window_device")).ShouldBe(2);
        (await fixture.Client.Call("DELETE", $"/v1/devices/{added["id"]}", ifMatch: "*")).Must(HttpStatusCode.NoContent);
        await Sweep(fixture);
        (await fixture.Scalar<Guid>("select device_id from runs.window_device")).ShouldBe(fixture.Devices[1].Value);
    }

    private static async Task Deny(RunFixture fixture, string selector) => (await fixture.Client.Call(
        "POST", "/v1/windows",
        new
        {
            name = "freeze", kind = "deny", cron = ScheduleFixture.Minute(DateTimeOffset.UtcNow.AddMinutes(-5)), duration = "PT2H",
            timeZone = "UTC", selector,
        })).Must(HttpStatusCode.Created);

    private static object Routes(RunFixture fixture, int device) => new
    {
        block = "static-routes", mode = "apply", targets = new { deviceIds = new[] { $"{fixture.Devices[device]}" } },
        input = new { routes = new[] { new { prefix = "10.9.0.0/16", nextHop = "10.66.0.1" } } },
    };

    private static async Task Label(RunFixture fixture, int device, object labels) =>
        (await fixture.Client.Call("PATCH", $"/v1/devices/{fixture.Devices[device]}", new { labels }, "*")).Must(HttpStatusCode.OK);

    private static async Task<IEnumerable<string>> Why(RunFixture fixture, RunId run) =>
        (await RunFixture.Get(fixture.Client, $"/v1/runs/{run}/why"))["gates"]!.AsArray().Select(gate => $"{gate!["code"]}");

    private static async Task Sweep(RunFixture fixture)
    {
        await using var scope = fixture.Host.Services.CreateAsyncScope();
        await scope.ServiceProvider.GetRequiredService<RefreshWindows>().Sweep(default);
    }
}
