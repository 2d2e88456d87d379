using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using NetAutomation.Edge;
using NetAutomation.Inventory;
using NetAutomation.Tests.Fleet;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Edge;

/// <summary>A whole process that may open few files, and callers who open more connections than that.</summary>
public sealed class FewDescriptorsTests(PostgresServer postgres)
{
    private const int Files = 1000;

    [Fact]
    public async Task Flood_of_connections_ends_no_process_and_leaves_another_tenant_its_service()
    {
        var database = await postgres.Create();
        await using var host = await ServiceHost.Start(database);
        var tenants = new List<TestTenant>();
        for (var i = 0; i < 7; i++)
        {
            tenants.Add(await host.CreateTenant());
        }

        var (victim, attackers) = (tenants[0], tenants[1..]);
        var edge = host.Services.GetRequiredService<IOptions<EdgeOptions>>().Value;
        var address = new IPEndPoint(IPAddress.Loopback, Ports.Free());
        using var process = new ServiceProcess("/usr/bin/prlimit",
        [
            $"--nofile={Files}:{Files}", ServiceProcess.ProgramPath("NetAutomation"), "--Roles:0=api",
            $"--Database:App={database.App}", $"--Database:System={database.System}",
            $"--Edge:Listeners:Customer={address}", "--Edge:Listeners:Operator=127.0.0.1:0", "--Edge:Listeners:Registration=127.0.0.1:0",
            "--Connectors:Listener=127.0.0.1:0", "--Edge:TrustedPeers:0=127.0.0.1/32",
            $"--Edge:CertificateDirectory={edge.CertificateDirectory}",
            $"--Inventory:KeyDirectory={host.Services.GetRequiredService<IOptions<InventoryOptions>>().Value.KeyDirectory}",
            $"--Catalog:PlatformsDirectory={PostgresServer.RepositoryRoot()}/src/Platforms",
            $"--Catalog:BlocksDirectory={PostgresServer.RepositoryRoot()}/src/Blocks", "--Serilog:MinimumLevel:Default=Warning",
        ]);
        using var held = Client(host, address, victim);
        await Eventually.Holds(
            async () => process.IsOver ? throw new InvalidOperationException(process.Output) : await Answers(held),
            "the process to serve", () => process.Output);
        process.Output.ShouldContain($"may open {Files} files only");
        var before = Descriptors(process);

        // One endpoint: more than the process may open in all.
        var open = OpenConnection.Many(Files + 200, address, ProxyV2.Header(attackers[0].EndpointId), Standstill.Raw, host.Certificate);
        await Eventually.Holds(() => OpenConnection.EndedOf(open) >= Files, "the surplus to be closed", () => process.Output);
        (await Answers(held)).ShouldBeTrue(process.Output);
        using (var fresh = Client(host, address, victim))
        {
            (await Answers(fresh)).ShouldBeTrue(process.Output);
        }

        // All of them together, with TLS: the process refuses newcomers, and goes on.
        var more = attackers[1..].SelectMany(
            attacker => OpenConnection.Many(150, address, ProxyV2.Header(attacker.EndpointId), Standstill.Tls, host.Certificate)).ToArray();
        await Task.WhenAll(more.Select(each => each.Ready)).WaitAsync(Eventually.Limit);
        (await Answers(held)).ShouldBeTrue(process.Output);
        Descriptors(process).ShouldBeLessThan(Files - 64);

        Array.ForEach([.. open, .. more], each => each.Dispose());
        await Eventually.Holds(
            () => Descriptors(process) <= before + 20, "the descriptors to come back", () => $"{before}, {Descriptors(process)}");
        using (var fresh = Client(host, address, victim))
        {
            (await Answers(fresh)).ShouldBeTrue(process.Output);
        }

        process.IsOver.ShouldBeFalse(process.Output);
    }

    private static HttpClient Client(ServiceHost host, IPEndPoint address, TestTenant tenant)
    {
        var handler = new SocketsHttpHandler
        {
            ConnectCallback = (_, cancel) => ProxyV2.Connect(address, ProxyV2.Header(tenant.EndpointId), cancel),
        };
        handler.SslOptions.CertificateChainPolicy = ServiceHost.Trust(host.Certificate);
        var client = new HttpClient(handler) { BaseAddress = new Uri($"https://{host.Certificate.ServerName}") };
        client.DefaultRequestHeaders.Authorization = new("Bearer", tenant.Key);
        return client;
    }

    private static async Task<bool> Answers(HttpClient client)
    {
        try
        {
            using var answer = await client.GetAsync("/v1/me");
            return answer.IsSuccessStatusCode;
        }
        catch (Exception refused) when (refused is HttpRequestException or IOException or SocketException)
        {
            return false;
        }
    }

    private static int Descriptors(ServiceProcess process) => Directory.GetFileSystemEntries($"/proc/{process.Id}/fd").Length;
}
