using System.Net;
using System.Text;
using NetAutomation.Inventory;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Inventory;

public sealed class TargetsTests(SharedHost shared) : IClassFixture<SharedHost>
{
    [Fact]
    public async Task Targets_resolve_by_id_selector_or_all()
    {
        var mine = await Inventories.Create(shared);
        var first = DeviceId.Parse((await mine.Add("r1", "10.0.0.1", new { role = "edge" })).Id);
        var second = DeviceId.Parse((await mine.Add("r2", "10.0.0.2")).Id);
        (await Resolve(mine, new Targets([second, first]))).ShouldBe("r2,r1", "as they were named");
        (await Resolve(mine, new Targets(Selector: "role=edge"))).ShouldBe("r1");
        (await Resolve(mine, new Targets(All: true))).ShouldBe("r1,r2");
        var target = (await mine.In(db => TargetResolver.Resolve(db, Budgets.Scope(), new Targets([first])))).Value[0];
        target.ShouldBe(new TargetDevice(first, "r1", SiteId.Parse(mine.Site), "frr", false));
    }

    [Fact]
    public async Task No_target_is_dropped_silently()
    {
        var (mine, other) = (await Inventories.Create(shared), await Inventories.Create(shared));
        var first = DeviceId.Parse((await mine.Add("r1", "10.0.0.1", new { a = "1" })).Id);
        var off = DeviceId.Parse((await mine.Add("r2", "10.0.0.2", new { a = "1" }, enabled: false)).Id);
        var foreign = DeviceId.Parse((await other.Add("r1", "10.0.0.1")).Id);
        (await Resolve(mine, new Targets([first, foreign, off, first, DeviceId.None]))).ShouldBe(
            "/targets/deviceIds/1 unknown_device,/targets/deviceIds/2 device_disabled,"
            + "/targets/deviceIds/3 duplicate,/targets/deviceIds/4 unknown_device");
        (await Resolve(mine, new Targets(Selector: "a=1"))).ShouldBe("/targets/selector device_disabled");
        (await Resolve(mine, new Targets(All: true))).ShouldBe("/targets/all device_disabled");
        (await mine.In(db => TargetResolver.Resolve(db, Budgets.Scope(), new Targets([off, first]), disabledToo: true, default)))
            .Value.Select(device => device.Enabled).ShouldBe([false, true]);
        (await Resolve(mine, new Targets(Selector: "a=2"))).ShouldBe("/targets/selector no_targets");
        (await Resolve(mine, new Targets([]))).ShouldBe("/targets/deviceIds no_targets");
        (await Resolve(mine, new Targets([.. Enumerable.Range(0, 10_001).Select(_ => DeviceId.New())])))
            .ShouldBe("/targets/deviceIds too_many");
        foreach (
            var targets in new[] {
                new Targets(), new Targets(All: false), new Targets([first], All: true), new Targets([first], "a=1"),
                new Targets(Selector: "a=1", All: true) })
        {
            (await Resolve(mine, targets)).ShouldBe("/targets one_of");
        }
    }

    [Fact]
    public async Task Ten_thousand_ids_resolve_at_once()
    {
        var mine = await Inventories.Create(shared);
        var csv = new StringBuilder("name,site,address,platform,credential\r\n");
        for (var i = 0; i < 10_000; i++)
        {
            csv.Append($"r{i},ams,r{i}.example,frr,lab\r\n");
        }

        using var content = new StringContent(csv.ToString(), Encoding.UTF8, "text/csv");
        (await mine.Client.Call("POST", "/v1/devices:import", content)).Must(HttpStatusCode.OK);
        var all = (await mine.In(db => TargetResolver.Resolve(db, Budgets.Scope(), new Targets(All: true)))).Value;
        all.Length.ShouldBe(10_000);
        var ids = new Targets([.. all.Select(device => device.DeviceId)]);
        (await mine.In(db => TargetResolver.Resolve(db, Budgets.Scope(), ids))).Value.Length.ShouldBe(
            10_000);
        using var staff = shared.Host.Operator();
        (await staff.Call("PUT", $"/operator/v1/tenants/{mine.Tenant.Id}/limits/devices", new { max = 10_001, reason = "they asked" }))
            .Must(HttpStatusCode.OK);
        (await mine.Add("one-more", "10.0.0.1")).Must(HttpStatusCode.Created);
        (await Resolve(mine, new Targets(All: true))).ShouldBe("/targets/all too_many");
    }

    private static async Task<string> Resolve(Inventories mine, Targets targets) =>
        (await mine.In(db => TargetResolver.Resolve(db, Budgets.Scope(), targets))).Refused(out var problem, out var devices)
            ? string.Join(',', problem.Errors!.Select(error => $"{error.Pointer} {error.Code}"))
            : string.Join(',', devices.Select(device => device.Name));
}
