using NetAutomation.Runs;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Runs;

public sealed class PlatformPinTests(PostgresServer postgres)
{
    [Fact]
    public async Task Run_has_the_platform_of_its_quote_though_a_newer_version_was_published_meanwhile()
    {
        await using var fixture = await RunFixture.Start(postgres, 2);
        var quote = await fixture.Post(fixture.Client, "/v1/quotes", fixture.Apply("10.9.0.0/16"));
        var platforms = Directory.CreateTempSubdirectory("na-platforms-");
        try
        {
            foreach (var file in Directory.GetFiles($"{PostgresServer.RepositoryRoot()}/src/Platforms/frr"))
            {
                var lines = (await File.ReadAllLinesAsync(file))
                    .Select(line => line.StartsWith("version: ", StringComparison.Ordinal) ? "version: 99.0.0" : line);
                var text = string.Join('\n', lines);
                await File.WriteAllTextAsync(Path.Combine(platforms.CreateSubdirectory("frr").FullName, Path.GetFileName(file)), text);
            }

            await using var newer =
                await ServiceHost.Start(fixture.Database, ["Roles:1=api", $"Catalog:PlatformsDirectory={platforms.FullName}"]);
            var client = newer.Customer(fixture.Tenant.EndpointId, fixture.Tenant.Key);
            var later = await fixture.Post(client, "/v1/quotes", fixture.Apply("10.9.0.0/16"));
            var id = RunId.Parse($"{(await fixture.Post(client, "/v1/runs", new { quoteId = $"{quote["id"]}" }))["id"]}");
            var claimed = (await fixture.Claim())!;
            var queued = await RunFixture.Get(client, $"/v1/runs/{id}");
            await fixture.Work(claimed, DeviceOutcome.Changed, DeviceOutcome.Failed);
            var ended = await RunFixture.Get(client, $"/v1/runs/{id}");
            var receipt = (await RunFixture.Get(client, $"/v1/runs/{id}/devices/{fixture.Devices[0]}"))["receipt"]!;

            $"{quote["platformDigest"]}".ShouldStartWith("sha256:");
            $"{later["platformDigest"]}".ShouldNotBe($"{quote["platformDigest"]}");
            $"{quote["engineVersion"]}".ShouldMatch(@"^[0-9]+\.[0-9]+\.[0-9]+\+[0-9a-f]{12}$");
            claimed.Platforms.ShouldBe(new Dictionary<string, string> { ["frr"] = $"{quote["platformDigest"]}" });
            queued["engineVersion"].ShouldBeNull("no engine has it yet");
            foreach (var seen in new[] { ended, receipt })
            {
                $"{seen["blockDigest"]}".ShouldBe($"{quote["blockDigest"]}");
                $"{seen["platformDigest"]}".ShouldBe($"{quote["platformDigest"]}");
                $"{seen["engineVersion"]}".ShouldBe($"{quote["engineVersion"]}");
            }
        }
        finally
        {
            platforms.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task Quote_is_drift_once_a_device_has_another_platform()
    {
        await using var fixture = await RunFixture.Start(postgres, 1);
        var quote = await fixture.Post(fixture.Client, "/v1/quotes", fixture.Apply("10.9.0.0/16"));
        await fixture.Sql(
            """
            insert into platforms.platform_version (name, version, major, minor, patch, digest, title, connection, port, logins, guard)
            select 'other', version, major, minor, patch, 'sha256:' || repeat('0', 64), title, connection, port, logins, guard
            from platforms.platform_version where name = 'frr'
            """);
        await fixture.Sql("update inventory.device set platform = 'other'");

        var refused = await RunFixture.Post(fixture.Client, "/v1/runs", new { quoteId = $"{quote["id"]}" }, null, 409);

        $"{refused["type"]}".ShouldBe("/problems/quote_drift");
    }
}
