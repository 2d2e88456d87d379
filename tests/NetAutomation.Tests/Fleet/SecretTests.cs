using System.Net;
using System.Text.Json.Nodes;
using NetAutomation.Tests.Runs;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Fleet;

/// <summary>A secret of an input on its way to a device, through a block that does nothing else.</summary>
[Collection("fleet"), Trait("Requires", "sandbox")]
public sealed class SecretTests(PostgresServer postgres) : IDisposable
{
    private readonly DirectoryInfo _content = Directory.CreateTempSubdirectory("na-content-");

    public void Dispose() => _content.Delete(recursive: true);

    [Fact]
    public async Task Secret_reaches_the_device_and_nobody_else_and_a_rotated_one_starts_nothing()
    {
        var (platform, block) = ($"{_content.FullName}/Platforms/frr", $"{_content.FullName}/Blocks/static-routes");
        Directory.CreateDirectory(platform);
        foreach (var file in Directory.GetFiles($"{PostgresServer.RepositoryRoot()}/src/Platforms/frr"))
        {
            File.Copy(file, Path.Combine(platform, Path.GetFileName(file)));
        }

        Directory.CreateDirectory($"{block}/platforms");
        await File.WriteAllTextAsync($"{block}/README.md", "# Key\n");
        await File.WriteAllTextAsync($"{block}/platforms/frr.yml", "wanted: |\n  key {{ input.key }}\n");
        await File.WriteAllTextAsync($"{block}/block.yaml", """
            slug: static-routes
            version: 1.0.0
            title: Key
            summary: Puts a key on routers.
            effect: idempotent
            input:
              type: object
              additionalProperties: false
              required: [key]
              properties:
                key: { type: object, format: secret }
            prices: { pay_per_use: { apply: { run: "0", device: "0" } } }
            """);
        await using var fleet = await ServiceFleet.Start(postgres, 1, content: _content.FullName);
        var (old, key) = ($"old{Guid.NewGuid():n}", $"new{Guid.NewGuid():n}");
        var secret = (await fleet.Client.Call("POST", "/v1/credentials", new { name = "key", kind = "secret", password = old }))
            .Must(HttpStatusCode.Created).Id;
        JsonObject Body() => new()
        {
            ["block"] = "static-routes", ["mode"] = "apply", ["targets"] = new JsonObject { ["all"] = true },
            ["input"] = new JsonObject { ["key"] = new JsonObject { ["credentialId"] = secret } },
        };
        var rotated = await fleet.StartRun(Body());
        (await fleet.Client.Call("PATCH", $"/v1/credentials/{secret}", new { password = key }, "*")).Must(HttpStatusCode.OK);
        await fleet.StartWorker("worker");
        await fleet.Ended(rotated);
        var run = await fleet.StartRun(Body());
        await fleet.Ended(run);

        (await fleet.Outcomes(rotated)).ShouldBe("d01:not_started(secret_rotated)", fleet.Report());
        (await fleet.Outcomes(run)).ShouldBe("d01:changed", fleet.Report());
        fleet.Routers.Journal().Where(happening => happening.Kind == "line").Select(happening => happening.Text).ShouldBe([$"key {key}"]);
        var seen = new List<string>();
        foreach (var path in new[] { "", "/devices", $"/devices/{fleet.DeviceId(Routers.Name(1))}", "/events", "/log",
            $"/devices/{fleet.DeviceId(Routers.Name(1))}/diff" })
        {
            seen.Add((await fleet.Client.Call("GET", $"/v1/runs/{run}{path}")).Must(HttpStatusCode.OK).Text);
        }

        seen.ShouldAllBe(text => !text.Contains(key, StringComparison.Ordinal));
        seen[^1].ShouldContain("********");
        seen[0].ShouldContain(secret);
        var opened = (await RunFixture.Get(fleet.Client, "/v1/audit"))["items"]!.AsArray()
            .First(row => $"{row!["action"]}" == "credentials.opened")!;
        opened["data"]!["secrets"]!.ToJsonString().ShouldBe($$"""{"{{secret}}":2}""");
        fleet.Process("worker").Output.ShouldNotContain(key);
    }
}
