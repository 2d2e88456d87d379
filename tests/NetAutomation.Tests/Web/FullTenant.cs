using System.Text.Json.Nodes;
using NetAutomation.History;
using NetAutomation.Runs;
using NetAutomation.Tests.Runs;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Web;

/// <summary>A tenant with at least one object of every kind that the API shows by id.</summary>
/// <param name="ByCollection">An id for each list, such as <c>/v1/devices</c>.</param>
internal sealed record FullTenant(TestTenant Tenant, IReadOnlyDictionary<string, string> ByCollection)
{
    public const string Artifact = "running-config.txt";

    public HttpClient Client => Tenant.Client;

    public static async Task<FullTenant> Fill(RunFixture fixture, TestTenant tenant, IEnumerable<ApiOperation> operations)
    {
        if (tenant != fixture.Tenant)
        {
            await fixture.AddDevices(tenant, 2);
            await fixture.Post(tenant.Client, "/v1/purchases", new { block = "static-routes", kind = "pay_per_use" });
        }

        var member = await fixture.Post(tenant.Client, "/v1/members", new { name = "second", role = "viewer" });
        var key = await fixture.Post(
            tenant.Client, "/v1/api-keys", new { name = "second", memberId = member["id"]!.GetValue<string>() });
        var quote = await fixture.Post(tenant.Client, "/v1/quotes", fixture.Apply("10.9.0.0/16"));
        await fixture.StartRun(client: tenant.Client);
        await Work(fixture, (await fixture.Claim())!);
        await fixture.Post(tenant.Client, "/v1/plans", fixture.Apply("10.9.0.0/16"));
        await Work(fixture, (await fixture.Claim())!);
        await fixture.Post(
            tenant.Client, "/v1/schedules",
            new { name = "nightly", cron = "0 1 * * *", timeZone = "UTC", run = fixture.Apply("10.9.0.0/16") });
        await fixture.Post(
            tenant.Client, "/v1/windows", new { name = "day", kind = "allow", cron = "0 0 * * *", duration = "PT23H", timeZone = "UTC" });

        var test = await fixture.Post(tenant.Client, "/v1/devices:test", new { targets = new { all = true } });

        var ids =
            new Dictionary<string, string>(
                StringComparer.Ordinal)
            {
                ["/v1/quotes"] = quote["id"]!.GetValue<string>(), ["/v1/aws-accounts"] = tenant.Account,
                ["/v1/device-tests"] = test["id"]!.GetValue<string>(),
            };
        foreach (
            var list in operations.Where(
                each => each is { Verb: "GET", PathParameters: [] } && each.QueryParameters.Contains("limit", StringComparer.Ordinal)))
        {
            if ((await RunFixture.Get(tenant.Client, list.Path))["items"] is JsonArray { Count: > 0 } items && items[0]!["id"] is { } id)
            {
                ids[list.Path] = id.ToString();
            }
        }

        var configs = await RunFixture.Get(tenant.Client, $"/v1/devices/{ids["/v1/devices"]}/configs");
        ids["/v1/devices/{id}/configs"] = configs["items"]![0]!["id"]!.GetValue<string>();
        // Not the key that requests are sent with: one of them may end it.
        ids["/v1/api-keys"] = key["id"]!.GetValue<string>();
        return new FullTenant(tenant, ids);
    }

    /// <summary>
    /// The tenant's own id for a path parameter. A test fails if the tenant has no such object, because it would test nothing.
    /// </summary>
    public string PathId(ApiOperation operation, string parameter) => Collection(operation, parameter) is { } collection
        && ByCollection.TryGetValue(collection, out var id)
        ? id
        : throw new InvalidOperationException($"{operation.Verb} {operation.Path}: give FullTenant something for {{{parameter}}}.");

    /// <summary>The tenant's own id with this prefix.</summary>
    public string PrefixId(string prefix) => ByCollection.Values.First(id => id.StartsWith(prefix, StringComparison.Ordinal));

    private static string? Collection(ApiOperation operation, string parameter) =>
        parameter == "deviceId"
            ? "/v1/devices"
                : operation.Path.IndexOf($"/{{{parameter}}}", StringComparison.Ordinal) is > 0 and var end ? operation.Path[..end] : null;

    private static async Task Work(RunFixture fixture, ClaimedRun run)
    {
        (await fixture.Journal(journal => journal.Start(run, default))).ShouldBeTrue();
        foreach (var device in run.Devices)
        {
            var report = new DeviceReport(
                device.Id, DeviceOutcome.Changed, true, true, null, null, """{"lines":1}""", "+ ip route", null, null,
                [new ArtifactFile(Artifact, "text/plain", "hostname r1\n"u8.ToArray())])
            {
                Texts = new DeviceTexts("frr", "hostname r1\n"u8.ToArray(), "hostname r1\n!\n"u8.ToArray()),
            };
            (await fixture.Write(run, RunFixture.Started(device.Id), RunEvent.Of(DateTimeOffset.UtcNow, report))).ShouldBeTrue();
        }

        (await fixture.Finish(run)).ShouldBeTrue();
    }
}
