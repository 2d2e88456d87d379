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
    public async Task A_suspended_tenant_starts_no_run_and_accepted_runs_continue()
    {
        await using var fixture = await ScheduleFixture.Start(postgres);
        var rental =
            await fixture.Post(
                fixture.Client, "/v1/purchases", new { block = "bgp-neighbors", kind = "rental", months = 1, autoRenew = true });
        var (running, queued) = (await fixture.StartRun(), await fixture.StartRun(fixture.Apply("10.8.0.0/16")));
        var claimed = (await fixture.Claim())!;
        (await fixture.Journal(journal => journal.Start(claimed, default))).ShouldBeTrue();
        var schedule = await fixture.CreateDueSchedule();
        var staff = fixture.Host.Operator();
        (await staff.Call("POST", $"/operator/v1/tenants/{fixture.Tenant.Id}:suspend", new { reason = "unpaid" })).Must(HttpStatusCode.OK);

        (await RunFixture.Post(fixture.Client, "/v1/runs", fixture.Apply("10.7.0.0/16"), null, 403))["type"]!.GetValue<string>()
            .ShouldBe("/problems/tenant_suspended");
        await fixture.Host.Fire();
        (await fixture.Occurrences(schedule)).ShouldBeEmpty();
        await fixture.Sql(
            """
            update purchasing.entitlement set starts_at = starts_at - interval '2 months', ends_at = now() + interval '10 minutes'
            where kind = 'rental'
            """);
        await using var scope = fixture.Host.Services.CreateAsyncScope();
        var renewals = ActivatorUtilities.CreateInstance<RenewRentals>(scope.ServiceProvider);
        await renewals.Run(default);
        (await RunFixture.Get(fixture.Client, $"/v1/entitlements/{rental["entitlementId"]}"))["renewalRefused"]!.GetValue<string>()
            .ShouldBe("tenant_suspended");

        await fixture.Work(claimed);
        await fixture.Work((await fixture.Claim())!);
        foreach (var run in (RunId[])[running, queued])
        {
            (await RunFixture.Get(fixture.Client, $"/v1/runs/{run}"))["state"]!.GetValue<string>().ShouldBe("succeeded");
        }

        (await staff.Call("POST", $"/operator/v1/tenants/{fixture.Tenant.Id}:reactivate")).Must(HttpStatusCode.OK);
        await fixture.StartRun();
        await renewals.Run(default);
        (await fixture.Scalar<long>("select count(*) from purchasing.purchase where renewal_of is not null")).ShouldBe(1);
    }
}
