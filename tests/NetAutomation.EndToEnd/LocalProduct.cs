using System.Globalization;
using System.Text.Json.Nodes;
using NetAutomation.EndToEnd;

[assembly: AssemblyFixture(typeof(LocalProduct))]

namespace NetAutomation.EndToEnd;

/// <summary>
/// The whole product as deploy/local/up starts it, with two customers whose routers have the same addresses. It starts with the first test
/// that needs it and ends with the test run.
/// </summary>
public sealed class LocalProduct : IAsyncDisposable
{
    // Its own transit nets, state and ports keep a running local stack or demo as it is.
    private const int Index = 211;
    private const int Routers = 2;
    private static readonly TimeSpan _startLimit = TimeSpan.FromMinutes(10);
    private readonly string _state = Path.Combine(Path.GetTempPath(), $"netautomation-e2e-{Guid.NewGuid().ToString("n")[..8]}");
    private readonly Dictionary<string, string> _environment;
    private readonly Lock _gate = new();
    private Task? _started;
    private Customer[] _customers = [];

    public LocalProduct() => _environment = new()
    {
        ["NETAUTOMATION_STATE"] = _state,
        ["NETAUTOMATION_LOCAL"] = _state,
        ["NETAUTOMATION_PORT_BASE"] = PortBase.ToString(CultureInfo.InvariantCulture),
        ["NETAUTOMATION_HIDE_KEYS"] = "1",
    };

    public int PortBase { get; } = 18000 + (20 * Index);

    public static IReadOnlyList<string> RouterNames { get; } = [.. Enumerable.Range(1, Routers).Select(i => $"r{i:000}")];

    /// <summary>The first or the second customer; both have bought the blocks.</summary>
    public async Task<Customer> Customer(int number)
    {
        Assert.SkipUnless(
            Environment.IsPrivilegedProcess, "Needs root: network namespaces, a lab of routers, an unprivileged user for the services.");
        await Started();
        return _customers[number - 1];
    }

    /// <summary>The router's running configuration, read without the service.</summary>
    public async Task<IReadOnlyList<string>> RunningConfig(Customer customer, string router)
    {
        var (code, output) = await Run(TimeSpan.FromSeconds(30), "deploy/local/lab", "running-config", "--vpc", customer.Vpc, router);
        code.ShouldBe(0, output);
        return output.Split('\n', StringSplitOptions.TrimEntries);
    }

    /// <summary>Types lines into a router, as an engineer did before the service came.</summary>
    public async Task Configure(Customer customer, string router, params string[] lines)
    {
        var (code, output) = await Run(
            TimeSpan.FromSeconds(30), "deploy/local/lab", ["configure", "--vpc", customer.Vpc, router, "--", .. lines]);
        code.ShouldBe(0, output);
    }

    /// <summary>The control API of the simulated AWS.</summary>
    public async Task<JsonNode> Simulator(string path)
    {
        using var http = new HttpClient { Timeout = TimeSpan.FromSeconds(30) };
        return JsonNode.Parse(await http.GetStringAsync($"http://127.0.0.1:{PortBase + 7}{path}"))!;
    }

    public async ValueTask DisposeAsync()
    {
        if (_started is null)
        {
            return;
        }

        foreach (var customer in _customers)
        {
            customer.Dispose();
        }

        var (code, output) = await Run(TimeSpan.FromMinutes(2), "deploy/local/down");
        Directory.Exists(_state).ShouldBeFalse(output);
        code.ShouldBe(0, output);
    }

    private Task Started()
    {
        lock (_gate)
        {
            return _started ??= Start();
        }
    }

    private async Task Start()
    {
        var (code, output) = await Run(_startLimit, "deploy/local/up", "--tenants", "2", "--devices", $"{Routers}", "--index", $"{Index}");
        code.ShouldBe(0, output);
        _customers = [.. Enumerable.Range(1, 2).Select(number => new Customer(_state, number))];
        foreach (var customer in _customers)
        {
            foreach (var block in (string[])["static-routes", "bgp-neighbors", "config-backup"])
            {
                await customer.Post("/v1/purchases", new JsonObject { ["block"] = block, ["kind"] = "pay_per_use" });
            }
        }
    }

    private async Task<(int Code, string Output)> Run(TimeSpan limit, string script, params string[] arguments)
    {
        var (code, output, error) = await Repository.Run(limit, _environment, script, arguments);
        return (code, output + error);
    }
}
