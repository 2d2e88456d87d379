using System.Diagnostics;
using System.Net;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Fleet;

[Collection("fleet")]
public sealed class MetricsPageTests(PostgresServer postgres)
{
    private const string Promtool = "/usr/bin/promtool";

    [Fact]
    public async Task Metrics_page_of_the_peer_listener_is_to_promtools_liking()
    {
        Assert.SkipUnless(File.Exists(Promtool), "Needs promtool (deploy/local/install --with-browser).");
        await using var fleet = await ServiceFleet.Start(postgres, 0);
        await fleet.StartService("a", "Roles:0=api", "Roles:1=scheduler");
        using var client = fleet.ClientOf(fleet.PeerPort("a"), null);
        var page = "";
        await Eventually.Holds(
            async () =>
            {
                page = await client.GetStringAsync("/metrics");
                return page.Contains("netautomation_queue_length", StringComparison.Ordinal);
            },
            "the queue to be measured", fleet.Report);
        page.ShouldContain("netautomation_loop_runs_total{");
        page.ShouldContain("netautomation_connectors_links");
        page.ShouldNotContain(fleet.Tenant.Id.ToString());
        var (exit, said) = await Check(page);
        (exit, said).ShouldBe((0, ""), page);
        using var customer = await fleet.Client.GetAsync("/metrics");
        customer.StatusCode.ShouldBe(HttpStatusCode.NotFound);
    }

    private static async Task<(int Exit, string Output)> Check(string page)
    {
        using var check = Process.Start(new ProcessStartInfo(Promtool, ["check", "metrics"])
        {
            RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false,
        })!;
        await check.StandardInput.WriteAsync(page);
        check.StandardInput.Close();
        var (output, errors) = (check.StandardOutput.ReadToEndAsync(), check.StandardError.ReadToEndAsync());
        await check.WaitForExitAsync();
        return (check.ExitCode, await output + await errors);
    }
}
