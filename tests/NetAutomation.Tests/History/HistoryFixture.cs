using System.Text;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using NetAutomation.History;
using NetAutomation.History.Retain;
using NetAutomation.Persistence;
using NetAutomation.Tests.Runs;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.History;

/// <summary>A service with devices, whose runs are played: what a worker would hand over is handed over here.</summary>
public sealed class HistoryFixture(PostgresServer postgres) : IAsyncLifetime
{
    internal RunFixture Runs { get; private set; } = null!;

    public async ValueTask InitializeAsync() => Runs = await RunFixture.Start(postgres);

    public ValueTask DisposeAsync() => Runs.DisposeAsync();

    /// <summary>A tenant of its own with devices.</summary>
    internal async Task<(TestTenant Tenant, IReadOnlyList<DeviceId> Devices)> Tenant(int devices = 1, string platform = "frr")
    {
        var tenant = await Runs.Host.CreateTenant();
        var ids = await Runs.AddDevices(tenant, devices);
        if (platform != "frr")
        {
            foreach (var id in ids)
            {
                (await tenant.Client.Call("PATCH", $"/v1/devices/{id}", new { platform }, "*")).Must(System.Net.HttpStatusCode.OK);
            }
        }

        return (tenant, ids);
    }

    /// <summary>Keeps a text as a run would, in one transaction.</summary>
    internal async Task Keep(TestTenant tenant, DeviceId device, string? before, string? after = null, string platform = "frr",
        RunId? run = null, bool writes = false, DateTimeOffset? time = null)
    {
        await using var scope = Runs.Host.Services.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<NetAutomationDb>();
        await using var transaction = await db.Begin(tenant.Id, CancellationToken.None);
        await scope.ServiceProvider.GetRequiredService<ConfigHistory>().Keep(
            tenant.Id, run ?? RunId.New(), writes,
            [new SeenTexts(time ?? DateTimeOffset.UtcNow, device, new DeviceTexts(platform, Bytes(before), Bytes(after)))],
            CancellationToken.None);
        await transaction.CommitAsync();
    }

    /// <summary>The scheduler's turn.</summary>
    internal async Task Forget()
    {
        await using var scope = Runs.Host.Services.CreateAsyncScope();
        await ActivatorUtilities.CreateInstance<ForgetConfigs>(scope.ServiceProvider).Run(CancellationToken.None);
    }

    /// <summary>The device's configs, newest first.</summary>
    internal static async Task<List<JsonElement>> Configs(HttpClient client, DeviceId device, string query = "")
    {
        var (items, after) = (new List<JsonElement>(), "");
        while (true)
        {
            var page = (await client.Call("GET", $"/v1/devices/{device}/configs?limit=200{query}{after}"))
                .Must(System.Net.HttpStatusCode.OK).Json;
            items.AddRange(page.GetProperty("items").EnumerateArray());
            if (page.GetProperty("next").GetString() is not { } next)
            {
                return items;
            }

            after = $"&after={next}";
        }
    }

    internal static async Task<string> Text(HttpClient client, DeviceId device, JsonElement config, bool raw = false) =>
        (await client.Call("GET", $"/v1/devices/{device}/configs/{config.Id()}{(raw ? "?raw=true" : "")}"))
        .Must(System.Net.HttpStatusCode.OK).Json.GetProperty("text").GetString()!;

    private static byte[]? Bytes(string? text) => text is null ? null : Encoding.UTF8.GetBytes(text);
}

internal static class ConfigJson
{
    public static string Id(this JsonElement config) => config.GetProperty("id").GetString()!;

    public static int Number(this JsonElement config, string name) => config.GetProperty(name).GetInt32();

    public static string Word(this JsonElement config, string name) => config.GetProperty(name).GetString()!;
}
