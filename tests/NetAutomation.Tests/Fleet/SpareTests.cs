using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Fleet;

[Collection("fleet"), Trait("Requires", "sandbox")]
public sealed class SpareTests(PostgresServer postgres)
{
    [Fact]
    public async Task Each_run_takes_a_sandbox_that_was_kept_ready_and_none_takes_it_again()
    {
        await using var fleet = await ServiceFleet.Start(postgres, 1);
        await fleet.StartWorker("worker");
        var taken = new HashSet<string>();
        for (var number = 1; number <= 2; number++)
        {
            await Eventually.Holds(() => fleet.SpareSandboxes("worker").Length == 1, "a spare", fleet.Report);
            var spare = fleet.SpareSandboxes("worker").Single();
            taken.Add(spare).ShouldBeTrue();
            var id = await fleet.StartRun(fleet.Routes([Routers.Name(1)], number));
            (await fleet.Ended(id))["state"]!.GetValue<string>().ShouldBe("succeeded", fleet.Report());
            fleet.SpareSandboxes("worker").ShouldNotContain(spare);
            await Eventually.Holds(() => !fleet.Executes("worker", id), "the run's place to go", fleet.Report);
        }
    }
}
