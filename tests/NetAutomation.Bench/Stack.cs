using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
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
    public const string ServiceId = "vpce-svc-0123456789abcdef0";
    private readonly string _name = $"bench_{Guid.NewGuid():n}";
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("na-bench-");
    private readonly List<Process> _processes = [];
    private readonly HttpClient _control = new() { Timeout = TimeSpan.FromMinutes(2) };
    private NpgsqlDataSource? _database;

    public Parts Parts => parts;

    public NpgsqlDataSource Database => _database!;

    /// <summary>How the owner of the schema, whom no policy holds, reaches the database.</summary>
    public string Owner => Connection(_name, "postgres");

    public IPEndPoint Customer { get; private set; } = null!;

    /// <summary>The processor time of all processes so far.</summary>
    public TimeSpan Cpu => TimeSpan.FromTicks(_processes.Sum(process => process.TotalProcessorTime.Ticks));

    public static void Say(string text) => Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"[{Environment.TickCount64 / 1000 % 10000,4} s] {text}"));

    public async Task StartSimulator(object ec2)
    {
        var file = Path.Combine(_folder.FullName, "simulator.json");
        await File.WriteAllTextAsync(file, JsonSerializer.Serialize(new
        {
            providerAccount = Provider,
            accounts = new[] { new { account = Provider, accessKey = "AKIAPROVIDER", secret = "simulated-provider" } },
            services = new[] { new { id = ServiceId, allowedPrincipals = new[] { "*" } } },
            ec2,
        }));
        var ready = await Launch(parts.Simulator, ["--config", file, "--urls", "http://127.0.0.1:0", "--control-urls", "http://127.0.0.1:0"], "ready aws=");
        var urls = ready.Split(' ').Skip(1).Select(part => part.Split('=', 2)[1]).ToArray();
        _control.BaseAddress = new Uri(urls[1]);
        _environment["AWS_ENDPOINT_URL"] = urls[0].TrimEnd('/');
    }

    private readonly Dictionary<string, string> _environment = new(StringComparer.Ordinal)
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

        using var migrate = Start(parts.Service, ["migrate", $"--Database:Owner={Connection(_name, "postgres")}"]);
        await migrate.WaitForExitAsync();
        if (migrate.ExitCode != 0)
        {
            throw new InvalidOperationException($"The schema could not be made. {await migrate.StandardError.ReadToEndAsync()}");
        }

        _database = NpgsqlDataSource.Create(Connection(_name, "postgres"));
    }

    /// <summary>A process of the service with one role; answers once it serves.</summary>
    public async Task StartService(string role, params string[] settings)
    {
        var port = FreePort();
        await Launch(parts.Service, [.. Settings(role, port), .. settings.Select(setting => $"--{setting}")], "Application started");
        if (role == "api")
        {
            Customer = new IPEndPoint(IPAddress.Loopback, port);
        }
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
            $"--Edge:CertificateDirectory={_folder.FullName}/{role}",
            $"--Inventory:KeyDirectory={_folder.FullName}/keys",
            "--Connectors:Listener=127.0.0.1:0",
            $"--Catalog:BlocksDirectory={parts.Repository}/src/Blocks",
            $"--Onboarding:ServiceId={ServiceId}",
            $"--Onboarding:ServiceName=com.amazonaws.vpce.us-east-1.{ServiceId}",
            "--Serilog:MinimumLevel:Default=Information",
        ];

    /// <summary>A customer's client through this endpoint.</summary>
    public HttpClient Client(string endpoint, string key, bool http2 = false)
    {
        var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        policy.CustomTrustStore.ImportFromPem(File.ReadAllText(Path.Combine(_folder.FullName, "api", "ca.pem")));
        var handler = new SocketsHttpHandler { ConnectCallback = (_, cancel) => ProxyV2.Connect(Customer, ProxyV2.Header(endpoint), cancel) };
        handler.SslOptions.CertificateChainPolicy = policy;
        var client = new HttpClient(handler) { BaseAddress = new Uri("https://netautomation.internal") };
        client.DefaultRequestHeaders.Authorization = new("Bearer", key);
        if (http2)
        {
            (client.DefaultRequestVersion, client.DefaultVersionPolicy) = (HttpVersion.Version20, HttpVersionPolicy.RequestVersionExact);
        }

        return client;
    }

    public async Task<JsonElement> Control(HttpMethod method, string path, object? body = null)
    {
        using var request = new HttpRequestMessage(method, path) { Content = body is null ? null : JsonContent.Create(body) };
        using var response = await _control.SendAsync(request);
        var text = await response.Content.ReadAsStringAsync();
        return response.IsSuccessStatusCode ? JsonElement.Parse(text) : throw new InvalidOperationException($"{path}: {text}");
    }

    public async Task Sql(string sql, params object[] values)
    {
        await using var command = Database.CreateCommand(sql);
        Array.ForEach(values, value => command.Parameters.Add(new() { Value = value }));
        await command.ExecuteNonQueryAsync();
    }

    public async Task<T> Value<T>(string sql, params object[] values)
    {
        await using var command = Database.CreateCommand(sql);
        Array.ForEach(values, value => command.Parameters.Add(new() { Value = value }));
        return (T)(await command.ExecuteScalarAsync())!;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var process in _processes)
        {
            if (!process.HasExited)
            {
                process.Kill();
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
        var start = new ProcessStartInfo(program, arguments) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = _folder.FullName };
        foreach (var (name, value) in _environment)
        {
            start.Environment[name] = value;
        }

        return Process.Start(start)!;
    }

    /// <summary>Answers the line that says it is ready.</summary>
    private async Task<string> Launch(string program, IEnumerable<string> arguments, string ready)
    {
        var process = Start(program, arguments);
        _processes.Add(process);
        var (said, heard) = (new StringBuilder(), new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously));
        DataReceivedEventHandler hear = (_, line) =>
        {
            if (line.Data?.Contains(ready, StringComparison.Ordinal) == true)
            {
                heard.TrySetResult(line.Data);
            }

            lock (said)
            {
                // Only the beginning is of interest, should it not start.
                if (said.Length < 20_000)
                {
                    said.AppendLine(line.Data);
                }
            }
        };
        process.EnableRaisingEvents = true;
        process.OutputDataReceived += hear;
        process.ErrorDataReceived += hear;
        process.Exited += (_, _) => heard.TrySetException(new InvalidOperationException($"{program} ended. {said}"));
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return await heard.Task.WaitAsync(TimeSpan.FromMinutes(2));
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
