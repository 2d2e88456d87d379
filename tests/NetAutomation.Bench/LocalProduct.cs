using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;

namespace NetAutomation.Bench;

/// <summary>The whole product as deploy/local/up starts it: real routers, connector, load balancer, database. Needs root.</summary>
internal sealed class LocalProduct : IAsyncDisposable
{
    // Its own transit net, state and ports keep a running local stack as it is.
    private const int Index = 221;
    private const string ServerName = "netautomation.internal";
    private readonly string _repository;
    private readonly string _state = $"{Path.GetTempPath()}netautomation-bench-{Guid.NewGuid().ToString("n")[..8]}";
    private HttpClient? _http;
    private Process? _imitation;

    private LocalProduct(string repository) => _repository = repository;

    public static string Vpc { get; } = $"t{Index}";

    /// <summary>The address of each router, by its name.</summary>
    public IReadOnlyList<(string Name, string Address, string HostKey)> Routers { get; private set; } = [];

    public string Username { get; private set; } = "";

    public string Password { get; private set; } = "";

    /// <summary>The devices' ids in the order of <see cref="Routers"/>.</summary>
    public IReadOnlyList<string> Devices { get; private set; } = [];

    /// <param name="imitations">How many devices <see cref="Imitate"/> may start.</param>
    public static async Task<LocalProduct> Start(string repository, int routers, int imitations = 0)
    {
        var product = new LocalProduct(repository);
        try
        {
            Stack.Log($"starting the product with {routers} routers");
            var folder = Directory.CreateTempSubdirectory("na-bench-");
            var allowed = $"{folder.FullName}/allow-list";
            await File.WriteAllLinesAsync(allowed, Addresses(imitations).Select(address => $"{address}/32 22"));
            await product.Script("deploy/local/up", "--devices", $"{routers}", "--index", $"{Index}", "--allow", allowed);
            folder.Delete(recursive: true);
            await product.ReadStack();
            return product;
        }
        catch
        {
            await product.DisposeAsync();
            throw;
        }
    }

    /// <summary>
    /// Counts the CPU time of the service, its database, the load balancer and the connector, and of all they start; not of the routers.
    /// </summary>
    public void AddTo(CpuAccount account)
    {
        foreach (var file in Directory.GetFiles($"{_state}/pids"))
        {
            account.Add(int.Parse(File.ReadAllText(file).Split(' ')[0], CultureInfo.InvariantCulture));
        }

        account.Add(int.Parse(File.ReadLines($"{Data()}/pg/data/postmaster.pid").First(), CultureInfo.InvariantCulture));
    }

    public async Task<JsonElement> Get(string path)
    {
        using var answer = await _http!.GetAsync(path);
        return await Read(answer);
    }

    public async Task<JsonElement> Post(string path, object body)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = JsonContent.Create(body) };
        request.Headers.Add("Idempotency-Key", Guid.NewGuid().ToString());
        using var answer = await _http!.SendAsync(request);
        return await Read(answer);
    }

    public async ValueTask DisposeAsync()
    {
        _http?.Dispose();
        if (_imitation is not null)
        {
            _imitation.Kill();
            await _imitation.WaitForExitAsync();
            _imitation.Dispose();
        }

        await Script("deploy/local/down");
    }

    /// <summary>
    /// Puts this number of imitation devices, all in one process, into the customer's network, and takes them in place of the routers.
    /// </summary>
    public async Task Imitate(string platform, int count, string block)
    {
        Stack.Log($"starting {count} imitations of {platform}");
        var addresses = Addresses(count);
        await File.WriteAllLinesAsync(
            $"{_state}/addresses", addresses.Select(address => $"address add {address}/32 dev br0"));
        await Command("/usr/sbin/ip", "-n", $"na-{Vpc}", "-batch", $"{_state}/addresses");
        await File.WriteAllTextAsync($"{_state}/login.json", JsonSerializer.Serialize(new { username = Username, password = Password }));
        _imitation = Process.Start(new ProcessStartInfo(
            "/usr/sbin/ip",
            [
                "netns", "exec", $"na-{Vpc}", $"{_repository}/tests/devices/run", platform, "--address", addresses[0],
                "--devices", $"{count}", "--port", "22", "--login", $"{_state}/login.json", "--console", $"{_state}/console"
            ])
        { UseShellExecute = false, RedirectStandardOutput = true, WorkingDirectory = "/" })!;
        var devices = new List<JsonElement>();
        while (await _imitation.StandardOutput.ReadLineAsync() is { } line && line != "ready")
        {
            devices.Add(JsonElement.Parse(line));
        }

        Routers = [.. devices.Select(device => (
            device.GetProperty("device").GetString()!, device.GetProperty("address").GetString()!,
            device.GetProperty("hostKey").GetString()!))];
        var site = (await Get("/v1/sites")).GetProperty("items")[0].GetProperty("id").GetString();
        var credential = (await Get("/v1/credentials")).GetProperty("items")[0].GetProperty("id").GetString();
        var ids = new List<string>();
        foreach (var (name, address, _) in Routers)
        {
            var device = await Post("/v1/devices", new { name, siteId = site, address, port = 22, platform, credentialId = credential });
            ids.Add(device.GetProperty("id").GetString()!);
        }

        Devices = ids;
        foreach (var id in ids)
        {
            await Reachable(id);
        }

        if (block != "static-routes")
        {
            await Post("/v1/purchases", new { block, kind = "pay_per_use" });
        }
    }

    /// <summary>The configuration of an imitation, read past its SSH server.</summary>
    public Task<string> ShownText(int device) =>
        Command($"{_repository}/tests/blocks/hand", "imitation", $"{_state}/console", Routers[device].Name, "text");

    /// <summary>Pins the device's host key.</summary>
    private async Task Reachable(string id)
    {
        var test = await Post($"/v1/devices/{id}:test", new { });
        if (!test.GetProperty("reachable").GetBoolean())
        {
            throw new InvalidOperationException($"The imitation cannot be reached: {test}");
        }
    }

    private static List<string> Addresses(int imitations) =>
        [.. Enumerable.Range(1, imitations).Select(i => string.Create(CultureInfo.InvariantCulture, $"10.66.40.{i}"))];

    private async Task ReadStack()
    {
        var lab = JsonElement.Parse(await Script("deploy/local/lab", "inventory", "--vpc", Vpc));
        var login = JsonElement.Parse(await File.ReadAllTextAsync(lab.GetProperty("login").GetString()!));
        (Username, Password) = (login.GetProperty("username").GetString()!, login.GetProperty("password").GetString()!);
        Routers = [.. lab.GetProperty("devices").EnumerateArray().Select(router => router.GetProperty("name").GetString()!)
            .Zip(lab.GetProperty("devices").EnumerateArray(),
                (name, router) =>
                    (name, router.GetProperty("address").GetString()!, File.ReadAllText($"/run/na-lab/{Vpc}/{name}/hostkey.pub")))];

        var tenant = JsonElement.Parse(await File.ReadAllTextAsync($"{_state}/tenant1/tenant.json"));
        var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        policy.CustomTrustStore.ImportFromPem(await File.ReadAllTextAsync($"{_state}/ca.pem"));
        var front = IPAddress.Parse(tenant.GetProperty("front").GetString()!);
        var handler = new SocketsHttpHandler
        {
            SslOptions = { TargetHost = ServerName, CertificateChainPolicy = policy },
            ConnectCallback = async (_, cancel) =>
            {
                var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
                await socket.ConnectAsync(front, 8443, cancel);
                return new NetworkStream(socket, ownsSocket: true);
            },
        };
        _http = new HttpClient(handler) { BaseAddress = new Uri($"https://{ServerName}:8443"), Timeout = TimeSpan.FromSeconds(90) };
        _http.DefaultRequestHeaders.Authorization =
            new AuthenticationHeaderValue("Bearer", (await File.ReadAllTextAsync($"{_state}/tenant1/key")).Trim());

        var ids = (await Get("/v1/devices?limit=200")).GetProperty("items").EnumerateArray()
            .ToDictionary(device => device.GetProperty("name").GetString()!, device => device.GetProperty("id").GetString()!);
        Devices = [.. Routers.Select(router => ids[router.Name])];
        await Post("/v1/purchases", new { block = "static-routes", kind = "pay_per_use" });
    }

    /// <summary>Where the services keep what is theirs.</summary>
    private string Data() => File.ReadLines($"{_state}/stack").First().Split(' ')
        .First(part => part.StartsWith("data=", StringComparison.Ordinal))[5..];

    private static async Task<JsonElement> Read(HttpResponseMessage answer)
    {
        var text = await answer.Content.ReadAsStringAsync();
        return answer.IsSuccessStatusCode
            ? JsonElement.Parse(text) : throw new InvalidOperationException($"{answer.RequestMessage?.RequestUri}: {text}");
    }

    private Task<string> Script(string script, params string[] arguments) => Command(Path.Combine(_repository, script), arguments);

    private async Task<string> Command(string command, params string[] arguments)
    {
        var start = new ProcessStartInfo(command, arguments) { UseShellExecute = false, RedirectStandardOutput = true };
        foreach (
            var (name, value) in new[] {
                ("NETAUTOMATION_STATE", _state), ("NETAUTOMATION_LOCAL", _state), ("NETAUTOMATION_HIDE_KEYS", "1") })
        {
            start.Environment[name] = value;
        }

        using var process = Process.Start(start)!;
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return process.ExitCode == 0 ? output : throw new InvalidOperationException($"{command} ended with {process.ExitCode}.");
    }
}
