using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using NetAutomation.Tests.Support;
using Npgsql;

namespace NetAutomation.Bench;

/// <summary>Processes of the product on a database of their own: the simulator, the service in any roles, and clients of both.</summary>
internal sealed class Stack(Parts parts) : IAsyncDisposable
{
    public const string Provider = "111111111111";
    public const string ServerName = "netautomation.internal";
    public const string ServiceId = "vpce-svc-0123456789abcdef0";
    private static readonly long _begun = Stopwatch.GetTimestamp();
    private readonly string _name = $"bench_{Guid.NewGuid():n}";
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("na-bench-");
    private readonly List<Process> _processes = [];
    private readonly HttpClient _control = new() { Timeout = TimeSpan.FromMinutes(2) };
    private NpgsqlDataSource? _database;

    public Parts Parts => parts;

    /// <summary>The program of <c>NetAutomation.Bench.Inside</c>.</summary>
    public string Inside => $"{parts.Repository}/tests/NetAutomation.Bench.Inside/bin/Release/net10.0/NetAutomation.Bench.Inside";

    public NpgsqlDataSource Database => _database!;

    /// <summary>Connection string of the schema's owner, to whom no row policy applies.</summary>
    public string Owner => Connection(_name, "postgres");

    public IPEndPoint Customer { get; private set; } = null!;

    /// <summary>CPU time of all processes until now.</summary>
    public TimeSpan Cpu => TimeSpan.FromTicks(_processes.Sum(process => process.TotalProcessorTime.Ticks));

    public static void Log(string text) =>
        Console.Error.WriteLine(
            string.Create(CultureInfo.InvariantCulture, $"[{(int)Stopwatch.GetElapsedTime(_begun).TotalSeconds,4} s] {text}"));

    public async Task StartSimulator(object ec2)
    {
        var file = Path.Combine(_folder.FullName, "simulator.json");
        await System.IO.File.WriteAllTextAsync(file, JsonSerializer.Serialize(new
        {
            providerAccount = Provider,
            accounts = new[] { new { account = Provider, accessKey = "AKIAPROVIDER", secret = "simulated-provider" } },
            services = new[] { new { id = ServiceId, allowedPrincipals = new[] { "*" } } },
            ec2,
        }));
        var (_, ready) =
            await Launch(
                parts.Simulator, ["--config", file, "--urls", "http://127.0.0.1:0", "--control-urls", "http://127.0.0.1:0"], "ready aws=");
        var urls = ready.Split(' ').Skip(1).Select(part => part.Split('=', 2)[1]).ToArray();
        _control.BaseAddress = new Uri(urls[1]);
        Variables["AWS_ENDPOINT_URL"] = urls[0].TrimEnd('/');
    }

    /// <summary>Environment of all processes started later.</summary>
    public Dictionary<string, string> Variables { get; } = new(StringComparer.Ordinal)
    {
        ["AWS_REGION"] = "us-east-1",
        ["AWS_ACCESS_KEY_ID"] = "AKIAPROVIDER",
        ["AWS_SECRET_ACCESS_KEY"] = "simulated-provider",
        ["AWS_EC2_METADATA_DISABLED"] = "true",
    };

    public async Task CreateDatabase()
    {
        await using var admin = NpgsqlDataSource.Create(Connection("postgres", "postgres"));
        await using (var create = admin.CreateCommand($"create database {_name}"))
        {
            await create.ExecuteNonQueryAsync();
        }

        await Finish(parts.Service, "migrate", $"--Database:Owner={Connection(_name, "postgres")}");
        _database = NpgsqlDataSource.Create(Connection(_name, "postgres"));
        // A few customers stand for many.
        await Sql("update web.limit_default set max = 1000000000000");
    }

    /// <summary>Starts a process of the service with one role and returns when it serves.</summary>
    public async Task<Process> StartService(string role, params string[] settings)
    {
        var port = Ports.Free();
        var (process, _) =
            await Launch(parts.Service, [.. Settings(role, port), .. settings.Select(setting => $"--{setting}")], "Application started");
        if (role == "api")
        {
            Customer = new IPEndPoint(IPAddress.Loopback, port);
        }

        return process;
    }

    /// <summary>The configuration of a process with this role.</summary>
    public IEnumerable<string> Settings(string role, int port) =>
        [
            $"--Database:App={Connection(_name, "na_app")}",
            $"--Database:System={Connection(_name, "na_system")}",
            $"--Roles:0={role}",
            $"--Edge:Listeners:Customer=127.0.0.1:{port}",
            "--Edge:Listeners:Operator=127.0.0.1:0",
            "--Edge:Listeners:Registration=127.0.0.1:0",
            "--Edge:Listeners:Peer=127.0.0.1:0",
            "--Edge:TrustedPeers:0=127.0.0.1/32",
            .. ((string[])["Connections", "Endpoint", "Tenant", "Key", "Challenges"]).SelectMany(
                rate => (string[])[$"--Rates:{rate}:PerSecond=1000000", $"--Rates:{rate}:Burst=1000000000"]),
            "--Rates:Requests=10000",
            "--Rates:Streams=10000",
            "--Rates:DatabaseConnections=100",
            $"--Edge:CertificateDirectory={_folder.FullName}/{role}",
            $"--Inventory:KeyDirectory={_folder.FullName}/keys",
            "--Connectors:Listener=127.0.0.1:0",
            $"--Catalog:PlatformsDirectory={parts.Repository}/src/Platforms",
            $"--Catalog:BlocksDirectory={parts.Repository}/src/Blocks",
            $"--Onboarding:ServiceId={ServiceId}",
            $"--Onboarding:ServiceName=com.amazonaws.vpce.us-east-1.{ServiceId}",
            "--Serilog:MinimumLevel:Default=Information",
        ];

    /// <summary>
    /// Starts the service with the role api and with the ports that <c>NetAutomation.Bench.Inside</c> opens in its process.
    /// </summary>
    public async Task<Process> StartWithBenchSettings(object benchSettings, params string[] settings)
    {
        Variables["DOTNET_STARTUP_HOOKS"] = $"{Inside}.dll";
        Variables["NETAUTOMATION_BENCH_SETTINGS"] = JsonSerializer.Serialize(benchSettings);
        var service =
            await StartService(
                "api", [
                    "Serilog:MinimumLevel:Override:Microsoft=Warning",
                    "Serilog:MinimumLevel:Override:Microsoft.Hosting.Lifetime=Information", .. settings]);
        Variables.Remove("DOTNET_STARTUP_HOOKS");
        return service;
    }

    /// <summary>A customer's client through this endpoint.</summary>
    public HttpClient Client(string endpoint, string key, bool http2 = false)
    {
        var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        policy.CustomTrustStore.ImportFromPem(System.IO.File.ReadAllText(Path.Combine(_folder.FullName, "api", "ca.pem")));
        var handler =
            new SocketsHttpHandler { ConnectCallback = (_, cancel) => ProxyV2.Connect(Customer, ProxyV2.Header(endpoint), cancel) };
        handler.SslOptions.CertificateChainPolicy = policy;
        var client = new HttpClient(handler) { BaseAddress = new Uri($"https://{ServerName}") };
        client.DefaultRequestHeaders.Authorization = new("Bearer", key);
        if (http2)
        {
            (client.DefaultRequestVersion, client.DefaultVersionPolicy) = (HttpVersion.Version20, HttpVersionPolicy.RequestVersionExact);
        }

        return client;
    }

    /// <summary>A path in the bench's own folder.</summary>
    public string File(string name) => Path.Combine(_folder.FullName, name);

    /// <summary>Writes a file in that folder that only the bench's user may read.</summary>
    public string File(string name, string text)
    {
        var path = File(name);
        System.IO.File.WriteAllText(path, text);
        System.IO.File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        return path;
    }

    public async Task<JsonElement> Control(HttpMethod method, string path, object? body = null)
    {
        using var request = new HttpRequestMessage(method, path) { Content = body is null ? null : JsonContent.Create(body) };
        using var response = await _control.SendAsync(request);
        var text = await response.Content.ReadAsStringAsync();
        return response.IsSuccessStatusCode ? JsonElement.Parse(text) : throw new InvalidOperationException($"{path}: {text}");
    }

    public Task Sql(string sql, params object[] values) => Database.Execute(sql, values);

    public Task<T> Value<T>(string sql, params object[] values) => Database.Value<T>(sql, values);

    public async ValueTask DisposeAsync()
    {
        foreach (var process in _processes)
        {
            if (!process.HasExited)
            {
                process.Kill(entireProcessTree: true);
                await process.WaitForExitAsync();
            }

            process.Dispose();
        }

        _control.Dispose();
        if (_database is not null)
        {
            await _database.DisposeAsync();
            await using var admin = NpgsqlDataSource.Create(Connection("postgres", "postgres"));
            await using var drop = admin.CreateCommand($"drop database {_name} with (force)");
            await drop.ExecuteNonQueryAsync();
        }

        _folder.Delete(recursive: true);
    }

    private string Connection(string database, string role) => $"Host={parts.Database};Username={role};Database={database}";

    private Process Start(string program, IEnumerable<string> arguments)
    {
        var start =
            new ProcessStartInfo(
                program, arguments)
            {
                UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true,
                WorkingDirectory = _folder.FullName
            };
        foreach (var (name, value) in Variables)
        {
            start.Environment[name] = value;
        }

        return Process.Start(start)!;
    }

    /// <summary>Runs a program to its end.</summary>
    public async Task Finish(string program, params string[] arguments)
    {
        using var process = Start(program, arguments);
        var output = await Task.WhenAll(process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync();
        if (process.ExitCode != 0)
        {
            throw new InvalidOperationException($"{program} failed. {string.Concat(output)}");
        }
    }

    /// <summary>
    /// Starts a process that lives as long as the bench; returns it and the line that said it is ready. Without a ready text it does not
    /// wait.
    /// </summary>
    public async Task<(Process Process, string Output)> Launch(string program, IEnumerable<string> arguments, string? ready)
    {
        var process = Start(program, arguments);
        _processes.Add(process);
        var output = new StringBuilder();
        var readyLine = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        DataReceivedEventHandler hear = (_, line) =>
        {
            if (ready is not null && line.Data?.Contains(ready, StringComparison.Ordinal) == true)
            {
                readyLine.TrySetResult(line.Data);
            }

            lock (output)
            {
                // If the program does not start, the beginning of its output is enough.
                if (output.Length < 20_000)
                {
                    output.AppendLine(line.Data);
                }
            }
        };
        process.EnableRaisingEvents = true;
        process.OutputDataReceived += hear;
        process.ErrorDataReceived += hear;
        process.Exited += (_, _) => readyLine.TrySetException(new InvalidOperationException($"{program} ended. {output}"));
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return (process, ready is null ? "" : await readyLine.Task.WaitAsync(TimeSpan.FromMinutes(2)));
    }
}
