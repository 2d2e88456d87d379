using System.Net;
using NetAutomation.Tests.Runs;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Fleet;

/// <summary>A platform is a folder: neither the service nor the engine nor the connector knows the platform of this test.</summary>
[Collection("fleet"), Trait("Requires", "sandbox")]
public sealed class NewPlatformTests(PostgresServer postgres) : IDisposable
{
    private readonly DirectoryInfo _content = Directory.CreateTempSubdirectory("na-content-");

    // Terminal commands of such a device that the imitation routers do not know yet, with their answers.
    private static readonly Dictionary<string, string> _terminal = new()
    {
        ["terminal width 512"] = "",
        ["terminal width 0"] = "",
        ["show privilege"] = "Current privilege level is 15",
        ["copy running-config startup-config"] = "[OK]",
    };

    public void Dispose() => _content.Delete(recursive: true);

    [Fact]
    public async Task Platform_made_as_a_folder_is_offered_and_runs_a_block_beside_the_others()
    {
        Copy($"{PostgresServer.RepositoryRoot()}/src", _content.FullName, "Platforms", "Blocks");

        Write("Platforms/acme/README.md", "# Acme\n");
        Write("Platforms/acme/platform.yaml", """
            name: acme
            version: 1.0.0
            title: Acme
            connection: network_cli
            networkOs: cisco.ios.ios
            port: 22
            logins: [password, ssh_key, enable]
            commands:
              running: show running-config
              version: show version
              save: copy running-config startup-config
              configure: configure terminal
              end: end
            grammar: { indent: 1, comment: "!", negation: "no " }
            guard: hard
            """);
        Write("Platforms/acme/lines.py", """
            import ipaddress


            def with_mask(prefix):
                return ipaddress.ip_network(prefix, strict=False).with_netmask.replace("/", " ")
            """);
        Write("Blocks/static-routes/platforms/acme.yml", """
            wanted: |
              {% for route in input.routes %}
              ip route {{ route.prefix | with_mask }} {{ route.nextHop }}
              {% endfor %}
            """);
        Write("Blocks/static-routes/block.yaml",
            File.ReadAllText($"{_content.FullName}/Blocks/static-routes/block.yaml").Replace("version: 1.", "version: 1.9"));

        await using var fleet = await ServiceFleet.Start(postgres, 2, content: _content.FullName, answers: _terminal);
        await fleet.StartWorker("worker");
        (await fleet.Client.Call("PATCH", $"/v1/devices/{fleet.DeviceId(Routers.Name(2))}", new { platform = "acme" }, "*"))
            .Must(HttpStatusCode.OK);
        var offered = (await RunFixture.Get(fleet.Client, "/v1/platforms"))["items"]!.AsArray();
        var (first, second) = (await Outcomes(fleet), await Outcomes(fleet));

        offered.Single(platform => $"{platform!["platform"]}" == "acme")!.ToJsonString().ShouldBe(
            """{"platform":"acme","title":"Acme","connection":"network_cli","port":22,"logins":["password","ssh_key","enable"]"""
            + ""","guard":"hard","shell":false,"blocks":["static-routes"]}""");
        first.ShouldBe("d01:changed d02:changed", fleet.Report());
        second.ShouldBe("d01:ok d02:ok", fleet.Report());
        fleet.Routers.Journal().Where(happening => happening.Kind == "line").Select(happening => $"{happening.Device} {happening.Text}")
            .Order().ShouldBe(["d01 ip route 10.1.0.0/16 192.0.2.1", "d02 ip route 10.1.0.0 255.255.0.0 192.0.2.1"]);
    }

    private static async Task<string> Outcomes(ServiceFleet fleet)
    {
        var run = await fleet.StartRun(fleet.Routes([Routers.Name(1), Routers.Name(2)], 1));
        await fleet.Ended(run);
        return await fleet.Outcomes(run);
    }

    private void Write(string path, string text)
    {
        Directory.CreateDirectory(Path.GetDirectoryName($"{_content.FullName}/{path}")!);
        File.WriteAllText($"{_content.FullName}/{path}", text);
    }

    /// <summary>Copies these folders.</summary>
    internal static void Copy(string from, string to, params string[] folders)
    {
        foreach (
            var file in folders.SelectMany(folder => Directory.GetFiles(Path.Combine(from, folder), "*", SearchOption.AllDirectories))
                .Where(file => !file.Contains("__pycache__", StringComparison.Ordinal)))
        {
            var copy = Path.Combine(to, Path.GetRelativePath(from, file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
        }
    }
}
