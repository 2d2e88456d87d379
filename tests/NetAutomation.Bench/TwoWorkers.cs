using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text.Json;
using NetAutomation.Tests.Support;

namespace NetAutomation.Bench;

/// <summary>
/// Many runs on one worker process and on two, each of which executes two runs at once: real Ansible in sandboxes, through the api process
/// and a connector, on imitation routers that need three seconds to show their configuration. The runs therefore wait for their devices,
/// not for the CPU that all processes share.
/// </summary>
internal sealed class TwoWorkers : IDisposable
{
    private const int Runs = 8;
    private const double Limit = 1.7;
    private const int SandboxUser = 64123;
    private readonly Stack _stack;
    private readonly DirectoryInfo _work = Directory.CreateTempSubdirectory("na-w");
    private readonly TcpListener _front = new(IPAddress.Loopback, 0);
    private readonly int _connectorPort = Ports.Free();
    private string[] _shared = [];
    private Customer _customer = null!;
    private int _turns;
    private int _workers;

    private TwoWorkers(Stack stack) => _stack = stack;

    public static async Task<Result> Run(Stack stack)
    {
        using var bench = new TwoWorkers(stack);
        await bench.Start();
        await bench.With(2);
        var rounds = await Rounds.Measure("workers-2", stack.Parts.Rounds, ("one", () => bench.With(1)), ("two", () => bench.With(2)));
        var ratio = rounds.Ratio("two", "one");
        return new Result("workers-2", ratio >= Limit,
        [
            new("runsPerSecond", Math.Round(rounds.Median("two"), 3)), new("withOneWorker", Math.Round(rounds.Median("one"), 3)),
            new("ratio", Math.Round(ratio, 2)), new("ratioSpread", rounds.Spread("two", "one")), new("ratioLimit", Limit),
            new("runs", Runs), new("rounds", stack.Parts.Rounds), new("noise", rounds.Noise),
        ]);
    }

    public void Dispose()
    {
        _front.Dispose();
        _work.Delete(recursive: true);
    }

    private async Task Start()
    {
        Stack.Log("starting routers, service, connector and database");
        // If the service is root, sandboxes run as another user.
        File.SetUnixFileMode(_work.FullName, (UnixFileMode)0b111_101_101);
        var (password, port) = (Convert.ToHexString(RandomNumberGenerator.GetBytes(12)), Ports.Free());
        var routers = Directory.CreateDirectory(_stack.File("routers")).FullName;
        await _stack.Launch(
            "/usr/bin/python3",
            [
                $"{_stack.Parts.Repository}/tests/faults/fleet.py", "--port", $"{port}", "--devices", $"{Runs}", "--state", routers,
                "--journal", routers,
                "--login", _stack.File("login.json", JsonSerializer.Serialize(new { username = "netops", password })),
            ],
            "ready");
        var names = Enumerable.Range(1, Runs).Select(i => string.Create(CultureInfo.InvariantCulture, $"d{i:00}")).ToList();
        await File.WriteAllTextAsync($"{routers}/slow.json", JsonSerializer.Serialize(names.ToDictionary(name => $"{name} show", _ => 3)));

        await _stack.CreateDatabase();
        _shared =
        [
            $"Edge:CertificateDirectory={_stack.File("api")}", "Inventory:AllowLoopback=true",
            $"Peer:ClusterKeyFile={_stack.File("cluster.key", Convert.ToHexString(RandomNumberGenerator.GetBytes(32)))}",
        ];
        await _stack.StartService(
            "api", [.. Peers(), $"Connectors:Listener=127.0.0.1:{_connectorPort}", $"Catalog:ContentDirectory={_work.FullName}/content"]);
        _customer = await Customer.Make(_stack);
        await _stack.Sql("insert into billing.account (tenant_id, channel) values ($1, 'direct')", _customer.Tenant);
        var site = (await _customer.Post("/v1/sites", new { name = "ams" })).GetProperty("id").GetString();
        var credential =
            (await _customer.Post("/v1/credentials", new { name = "netops", username = "netops", kind = "password", password }))
                .GetProperty("id").GetString();
        await _customer.Post("/v1/purchases", new { block = Customer.Block, kind = "pay_per_use" });
        await Join(await _customer.Post("/v1/connectors", new { name = "c1", siteId = site }), port);
        var ids = new List<string>();
        for (var i = 0; i < Runs; i++)
        {
            var key = Convert.FromBase64String((await File.ReadAllTextAsync($"{routers}/{names[i]}.key.pub")).Split(' ')[1]);
            var device = await _customer.Post("/v1/devices", new
            {
                name = names[i], siteId = site, address = $"127.66.0.{i + 1}", port, platform = "frr", credentialId = credential,
                hostKeySha256 = $"SHA256:{Convert.ToBase64String(SHA256.HashData(key)).TrimEnd('=')}",
            });
            ids.Add(device.GetProperty("id").GetString()!);
        }

        _customer = _customer with { Devices = ids };
    }

    /// <summary>Starts a connector in the customer's network; the relay in front of the service names the endpoint.</summary>
    private async Task Join(JsonElement connector, int port)
    {
        _front.Start();
        _ = Forward();
        var (token, ca, list, state) = (
            _stack.File("join-token", connector.GetProperty("joinToken").GetString()!),
            _stack.File("connector.pem", connector.GetProperty("caPem").GetString()!),
            _stack.File("allow-list", string.Join('\n', Enumerable.Range(1, Runs).Select(i => $"127.66.0.{i}/32 {port}"))),
            _stack.File("connector"));
        await _stack.Finish(
            _stack.Parts.Connector, "join", "--endpoint", $"nowhere.invalid:{((IPEndPoint)_front.LocalEndpoint).Port}", "--address",
            "127.0.0.1", "--server-name", Stack.ServerName, "--ca", ca,
            "--token-file", token, "--state", state);
        await _stack.Launch(_stack.Parts.Connector, ["run", "--state", state, "--allow-list", list], "attached session");
    }

    private async Task Forward()
    {
        var service = new IPEndPoint(IPAddress.Loopback, _connectorPort);
        while (_front.Server.IsBound)
        {
            var client = await _front.AcceptTcpClientAsync();
            client.NoDelay = true;
            _ = Task.Run(async () =>
            {
                using (client)
                {
                    await using var outside = client.GetStream();
                    await using var inside = await ProxyV2.Connect(service, ProxyV2.Header(_customer.Endpoint), CancellationToken.None);
                    await Task.WhenAny(outside.CopyToAsync(inside), inside.CopyToAsync(outside));
                }
            });
        }
    }

    private string[] Peers()
    {
        var port = Ports.Free();
        return [.. _shared, $"Edge:Listeners:Peer=127.0.0.1:{port}", $"Peer:Url=https://127.0.0.1:{port}"];
    }

    /// <summary>Runs per second, from the first POST until the last run is final.</summary>
    private async Task<double> With(int workers)
    {
        var processes = new List<Process>();
        try
        {
            for (var i = 0; i < workers; i++)
            {
                var folder = _work.CreateSubdirectory($"worker-{++_workers}").FullName;
                processes.Add(await _stack.StartService("worker",
                [
                    .. Peers(), $"Execution:WorkDirectory={folder}", "Execution:Concurrency=2",
                    $"Catalog:ContentDirectory={_work.FullName}/content",
                    .. Environment.IsPrivilegedProcess ? [$"Execution:SandboxUid={SandboxUser}"] : Array.Empty<string>(),
                ]));
            }

            var input =
                new
                {
                    state = _turns++ % 2 == 0 ? "present" : "absent",
                    routes = new[] { new { prefix = "10.9.0.0/16", nextHop = "10.66.0.1" } }
                };
            var begun = Stopwatch.GetTimestamp();
            var ended =
                await Task.WhenAll(
                    _customer.Devices.Select(
                        device =>
                            Complete(
                                new { block = Customer.Block, mode = "apply", targets = new { deviceIds = new[] { device } }, input })));
            var seconds = Stopwatch.GetElapsedTime(begun).TotalSeconds;
            return ended.All(run => run.GetProperty("summary").GetProperty("changed").GetInt32() == 1) ? Runs / seconds
                : throw new InvalidOperationException($"The runs did not do their work: {string.Join('\n', ended)}");
        }
        finally
        {
            processes.ForEach(process => process.Kill(entireProcessTree: true));
        }
    }

    private async Task<JsonElement> Complete(object body)
    {
        var run = await _customer.Post("/v1/runs", body);
        // An unknown run is not final, but it will not change by itself.
        while (!run.GetProperty("terminal").GetBoolean() && run.GetProperty("state").GetString() != "unknown")
        {
            run = await _customer.Client.GetFromJsonAsync<JsonElement>($"/v1/runs/{run.GetProperty("id").GetString()}?wait=60");
        }

        return run;
    }
}
