using NetAutomation.AwsSimulator;
using NetAutomation.Tests.Fleet;

namespace NetAutomation.Tests.AwsSimulator;

/// <summary>boto3 is the judge of everything the simulator offers: its models write every request and parse every answer.</summary>
public sealed class PublicClientTests
{
    [Fact]
    public async Task Every_operation_is_called_by_boto3_and_both_answers_and_refuses()
    {
        var python = await PythonWithBoto3();
        if (python is null)
        {
            Assert.Skip("No python3 on the PATH has boto3 with the newer operations.");
        }

        using var target = new TcpTarget();
        await using var cloud = await SimulatedCloud.StartAsync(Options());
        using var script = new ServiceProcess(
            python,
            [Path.Combine(Support.PostgresServer.RepositoryRoot(), "tests/NetAutomation.Tests/AwsSimulator/public_client.py"),
                Url(cloud.AwsUrl), Url(cloud.ControlUrl), $"{target.Address.Port}"]);
        (await script.Ended(TimeSpan.FromMinutes(5))).ShouldBe(0, script.Output);

        var counts = (await cloud.ControlAsync(HttpMethod.Get, "/control/calls")).EnumerateArray()
            .Select(
                c => (Operation: c.GetProperty("operation").GetString(), Calls: c.GetProperty("calls").GetInt32(),
                    Refused: c.GetProperty("refused").GetInt32())).ToList();
        counts.Count.ShouldBeGreaterThan(25);
        counts.Where(c => c.Calls == c.Refused).Select(c => c.Operation)
            .ShouldBeEmpty("every operation that is offered is called with success");
        // Errors of these operations are items of an answer, or occur before the operation is known.
        counts.Where(c => c.Refused == 0).Select(c => c.Operation)
            .ShouldBe(["ec2.DeleteVpcEndpointConnectionNotifications", "ec2.DeleteVpcEndpoints", "sts.GetCallerIdentity"]);
    }

    private static SimulatorOptions Options()
    {
        var options = SimulatedCloud.Options();
        return options with
        {
            Accounts =
            [
                .. options.Accounts,
                new AccountOptions(
                    SimulatedCloud.Customer, "ASIASESSION", "secret-of-session") {
                        SessionToken = "token-of-session", Principal = $"arn:aws:sts::{SimulatedCloud.Customer}:assumed-role/net/job-7" },
                new AccountOptions(
                    SimulatedCloud.Customer, "ASIAOVER", "secret-of-session") {
                        SessionToken = "token-of-session", ExpiresAt = DateTimeOffset.UnixEpoch },
            ],
            Services =
            [
                options.Services[0] with { PrivateDnsName = "api.example.com", SupportedRegions = ["eu-west-1"] },
                .. Enumerable.Range(1, 5).Select(n => new ServiceOptions($"vpce-svc-0000000000000000{n}")),
            ],
            Queues = ["events", "notices", "endpoints"],
            Topics = new Dictionary<string, string> { [$"arn:aws:sns:us-east-1:{SimulatedCloud.Provider}:endpoints"] = "endpoints" },
            Marketplace = options.Marketplace with { LegacyProducts = ["old"], NoticeQueue = "notices" },
        };
    }

    private static string Url(Uri address) => address.ToString().TrimEnd('/');

    private static async Task<string?> PythonWithBoto3()
    {
        foreach (
            var python in (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Select(d => Path.Combine(d, "python3"))
                .Where(File.Exists))
        {
            // Debian's packages date from 2022 and lack fields of newer operations.
            using var asked =
                new ServiceProcess(
                    python, ["-c", "import boto3, sys; sys.exit(tuple(map(int, boto3.__version__.split('.')[:2])) < (1, 36))"]);
            if (await asked.Ended(TimeSpan.FromMinutes(1)) == 0)
            {
                return python;
            }
        }

        return null;
    }
}
