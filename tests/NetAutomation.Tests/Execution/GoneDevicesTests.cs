using Microsoft.Extensions.DependencyInjection;
using NetAutomation.Execution;
using NetAutomation.Tests.Runs;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Execution;

public sealed class GoneDevicesTests(PostgresServer postgres)
{
    [Fact]
    public async Task A_device_whose_pin_was_taken_away_in_the_queue_is_not_started_and_says_so()
    {
        await using var fixture = await RunFixture.Start(postgres, 1);
        var run = await fixture.StartRun();
        await fixture.Sql("update inventory.device set host_key_sha256 = null, host_key = null");
        var services = fixture.Host.Services;
        var execution = ActivatorUtilities.CreateInstance<RunExecution>(
            services, new Journals(services.GetRequiredService<IServiceScopeFactory>(), TimeProvider.System));

        await execution.Execute((await fixture.Claim())!, default);

        var view = await RunFixture.Get(fixture.Client, $"/v1/runs/{run}");
        ($"{view["state"]}", $"{view["summary"]!["not_started"]}", $"{view["charged"]!["amount"]}").ShouldBe(("failed", "1", "0.000000"));
        var device = (await RunFixture.Get(fixture.Client, $"/v1/runs/{run}/devices"))["items"]![0]!;
        ($"{device["outcome"]}", $"{device["code"]}").ShouldBe(("not_started", "host_key_not_pinned"));
        $"{device["message"]}".ShouldBe("The device's host key is no longer pinned.");
        (await fixture.Scalar<long>("select count(*) from runs.device_hold")).ShouldBe(0);
    }
}
