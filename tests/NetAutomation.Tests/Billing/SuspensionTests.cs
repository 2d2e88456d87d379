using System.Net;
using Microsoft.Extensions.DependencyInjection;
using NetAutomation.Purchasing.Rights;
using NetAutomation.Tests.Runs;
using NetAutomation.Tests.Scheduling;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Billing;

public sealed class SuspensionTests(PostgresServer postgres)
{
    [Fact]
    public async Task A_suspended_tenant_starts_nothing_and_what_was_accepted_goes_on()
    {
        await using var ground = await ScheduleGround.Start(postgres);
        var rental =
            await ground.Post(
                ground.Client, "/v1/purchases", new { block = "bgp-neighbors", kind = "rental", months = 1, autoRenew = true });
        var (running, queued) = (await ground.StartRun(), await ground.StartRun(ground.Apply("10.8.0.0/16")));
        var claimed = (await ground.Claim())!;
        (await ground.Journal(journal => journal.Start(claimed, default))).ShouldBeTrue();
        var schedule = await ground.Due();
        var staff = ground.Host.Operator();
        (await staff.Call("POST", $"/operator/v1/tenants/{ground.Tenant.Id}:suspend", new { reason = "unpaid" })).Must(HttpStatusCode.OK);

        (await RunGround.Post(ground.Client, "/v1/runs", ground.Apply("10.7.0.0/16"), null, 403))["type"]!.GetValue<string>()
            .ShouldBe("/problems/tenant_suspended");
        await ground.Host.Fire();
        (await ground.Occurrences(schedule)).ShouldBeEmpty();
        await ground.Sql(
            """
            update purchasing.entitlement set starts_at = starts_at - interval '2 months', ends_at = now() + interval '10 minutes'
            where kind = 'rental'
            """);
        var renewals = ActivatorUtilities.CreateInstance<RenewRentals>(ground.Host.Services);
        await renewals.Run(default);
        (await RunGround.Get(ground.Client, $"/v1/entitlements/{rental["entitlementId"]}"))["renewalRefused"]!.GetValue<string>()
            .ShouldBe("tenant_suspended");

        await ground.Work(claimed);
        await ground.Work((await ground.Claim())!);
        foreach (var run in (RunId[])[running, queued])
        {
            (await RunGround.Get(ground.Client, $"/v1/runs/{run}"))["state"]!.GetValue<string>().ShouldBe("succeeded");
        }

        (await staff.Call("POST", $"/operator/v1/tenants/{ground.Tenant.Id}:reactivate")).Must(HttpStatusCode.OK);
        await ground.StartRun();
        await renewals.Run(default);
        (await ground.Scalar<long>("select count(*) from purchasing.purchase where renewal_of is not null")).ShouldBe(1);
    }
}
