using System.Net;
using System.Text.Json.Nodes;
using NetAutomation.Tests.Support;

namespace NetAutomation.Faults;

/// <summary>The sites, connectors and imitation devices of one customer, and the runs on them.</summary>
internal sealed class CustomerNetwork(Stack stack, Customer customer, int tenant = 1) : IDisposable
{
    private string? _credential;

    /// <summary>One for each connector, in the order in which they joined.</summary>
    public List<Relay> Relays { get; } = [];

    /// <summary>The ids of the devices by name.</summary>
    public Dictionary<string, string> DeviceIds { get; } = [];

    /// <summary>Makes a site with these connectors and the devices from the first on; with the first site what runs need.</summary>
    public async Task AddSite(int first, int devices, params int[] connectors)
    {
        _credential ??= await Prepare();
        var site = Text(await customer.Post("/v1/sites", new JsonObject { ["name"] = $"site-{first}" }), "id");
        foreach (var connector in connectors)
        {
            await Join(connector, site, Enumerable.Range(first, devices).Select(device => $"{Address(device)}/32 {stack.DevicePort}"));
        }

        await Task.WhenAll(Enumerable.Range(first, devices).Select(device => AddDevice(
            $"d{device:00}", Address(device), stack.DevicePort, "frr", site, _credential)));
    }

    /// <summary>Makes a site with these devices, which answer soon or not at all, and a connector, in a namespace where named.</summary>
    public async Task AddSite(
        int connector, JsonNode login, IReadOnlyList<(string Name, string Platform, string Address, int Port)> devices,
        string? space = null, string? relay = null)
    {
        var credential = await AddCredential($"login-{connector}", login);
        var site = Text(await customer.Post("/v1/sites", new JsonObject { ["name"] = $"site-{connector}" }), "id");
        await Join(connector, site, devices.Select(device => $"{device.Address}/32 {device.Port}"), space, relay);
        await Task.WhenAll(devices.Select(device => AddDevice(
            device.Name, device.Address, device.Port, device.Platform, site, credential,
            new JsonObject { ["connectSeconds"] = 10, ["commandSeconds"] = 20 })));
    }

    public async Task Submit(PlannedRun run)
    {
        var hops = run.Lines.Select(line => line.Split(' '))
            .Select(words => new JsonObject { ["prefix"] = words[2], ["nextHop"] = words[3] });
        var answer = await customer.Post("/v1/runs", new JsonObject
        {
            ["block"] = "static-routes", ["mode"] = run.Mode, ["timeoutSeconds"] = 180,
            ["targets"] = new JsonObject { ["deviceIds"] = new JsonArray([.. run.Devices.Select(name => (JsonNode)DeviceIds[name])]) },
            ["input"] = new JsonObject { ["routes"] = new JsonArray([.. hops]) },
            ["labels"] = new JsonObject { ["key"] = run.Key, ["round"] = $"{run.Round}" },
        }, run.Key);
        run.Id = Text(answer, "id");
    }

    public void Dispose() => Relays.ForEach(relay => relay.Dispose());

    private async Task<string> Prepare()
    {
        var login = JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(stack.Data, "fleet/login.json")))!;
        await customer.Post("/v1/purchases", new JsonObject { ["block"] = "static-routes", ["kind"] = "pay_per_use" });
        return await AddCredential("fleet", login);
    }

    private async Task<string> AddCredential(string name, JsonNode login) =>
        Text(await customer.Post("/v1/credentials", new JsonObject
        {
            ["name"] = name, ["kind"] = "password", ["username"] = Text(login, "username"), ["password"] = Text(login, "password"),
        }), "id");

    private async Task Join(int connector, string site, IEnumerable<string> reach, string? space = null, string? relay = null)
    {
        var created = await customer.Post("/v1/connectors", new JsonObject { ["name"] = $"connector-{connector}", ["siteId"] = site });
        var folder =
            Directory.CreateDirectory(
                Path.Combine(stack.Data, $"connectors/{connector}"),
                UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute).FullName;
        await File.WriteAllTextAsync(Path.Combine(folder, "ca.pem"), Text(created, "caPem"));
        var token = Path.Combine(folder, "join-token");
        await File.WriteAllTextAsync(token, Text(created, "joinToken"));
        File.SetUnixFileMode(token, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        await File.WriteAllLinesAsync(Path.Combine(folder, "allow-list"), reach);
        relay ??= $"{IPAddress.Loopback}";
        await File.WriteAllTextAsync(Path.Combine(folder, "relay"), relay);
        if (space is not null)
        {
            await File.WriteAllTextAsync(Path.Combine(folder, "namespace"), space);
        }

        Relays.Add(new Relay(new IPEndPoint(IPAddress.Parse(stack.Front(tenant)), 8444), IPAddress.Parse(relay)));
        await stack.Join(connector, Relays[^1].Port);
        var id = Text(created, "id");
        if (!await Eventually.Within(
            TimeSpan.FromSeconds(60), async () => (await customer.Get($"/v1/connectors/{id}"))["sessions"]!.AsArray().Count > 0))
        {
            throw new InvalidOperationException($"Connector {connector} did not attach.");
        }
    }

    private async Task AddDevice(
        string name, string address, int port, string platform, string site, string credential, JsonObject? options = null)
    {
        var id = Text(await customer.Post("/v1/devices", new JsonObject
        {
            ["name"] = name, ["siteId"] = site, ["address"] = address, ["port"] = port, ["platform"] = platform,
            ["credentialId"] = credential, ["connectionOptions"] = options,
        }), "id");
        lock (DeviceIds)
        {
            DeviceIds[name] = id;
        }

        var tested = await customer.Post($"/v1/devices/{id}:test", []);
        if (!tested["reachable"]!.GetValue<bool>())
        {
            throw new InvalidOperationException($"Device {name} cannot be reached: {tested}");
        }
    }

    private static string Address(int device) => $"127.66.0.{device}";

    private static string Text(JsonNode node, string name) => node[name]!.GetValue<string>();
}
