using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text.Json;
using Microsoft.Win32.SafeHandles;
using NetAutomation.Execution.Sandbox;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Execution;

/// <summary>Real devices from deploy/local/lab, dialled from inside their own VPC namespace.</summary>
public class RouterLab : IAsyncLifetime
{
    private readonly string[] _devices;
    private readonly string _vpc = "t" + Guid.NewGuid().ToString("N")[..8];
    private readonly string _state = Directory.CreateTempSubdirectory("na-lab").FullName;
    private readonly Dictionary<string, JsonElement> _routers = new(StringComparer.Ordinal);

    public RouterLab()
        : this(3)
    {
    }

    protected RouterLab(int count, params string[] others) => _devices = ["--routers", $"{count}", .. others];

    public static bool Possible => Environment.IsPrivilegedProcess && File.Exists("/usr/lib/frr/bgpd") && File.Exists("/usr/sbin/sshd")
        && File.Exists("/usr/bin/bwrap") && File.Exists("/usr/bin/ansible-playbook");

    public string Username { get; private set; } = "";

    public string Password { get; private set; } = "";

    public async ValueTask InitializeAsync()
    {
        if (!Possible)
        {
            return;
        }

        // Another lab may use this transit net: try the next one.
        var up = (Code: 1, Output: "");
        for (var attempt = 0; attempt < 5 && up.Code != 0; attempt++)
        {
            await Lab("down");
            up = await Lab("up", [.. _devices, "--index", $"{100 + ((Environment.ProcessId + attempt) % 150)}"]);
        }

        up.Code.ShouldBe(0, up.Output);

        var inventory = JsonSerializer.Deserialize<JsonElement>((await Lab("inventory")).Output);
        foreach (var router in inventory.GetProperty("devices").EnumerateArray())
        {
            _routers[router.GetProperty("name").GetString()!] = router;
        }

        var login = JsonSerializer.Deserialize<JsonElement>(await File.ReadAllTextAsync(inventory.GetProperty("login").GetString()!));
        Username = login.GetProperty("username").GetString()!;
        Password = login.GetProperty("password").GetString()!;
    }

    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        if (Possible)
        {
            var (code, output) = await Lab("down");
            code.ShouldBe(0, output);
        }

        Directory.Delete(_state, recursive: true);
    }

    public IReadOnlyList<string> Names => [.. _routers.Keys.Order(StringComparer.Ordinal)];

    public async Task<string> RunningConfig(string router) => (await Lab("running-config", router)).Output;

    /// <summary>Types lines into a router's configuration, past those that it refuses.</summary>
    public Task Configure(string router, IEnumerable<string> lines) =>
        Vtysh(router, [], string.Join('\n', ["configure terminal", .. lines, "end", ""]));

    /// <summary>The same with lines that are not UTF-8.</summary>
    public async Task Configure(string router, byte[] lines)
    {
        var path = Path.Combine(_state, router + ".conf");
        await File.WriteAllBytesAsync(path, lines);
        await Vtysh(router, ["-f", path], "");
    }

    /// <summary>Puts another program in place of a router's shell, or other surroundings around it, by its sshd's configuration.</summary>
    public async Task Reshape(string router, string text, string replacement)
    {
        var home = $"/run/na-lab/{_vpc}/{router}";
        var config = await File.ReadAllTextAsync($"{home}/sshd_config");
        config.ShouldContain(text);
        await File.WriteAllTextAsync($"{home}/sshd_config", config.Replace(text, replacement, StringComparison.Ordinal));
        var pid = (await File.ReadAllTextAsync($"{home}/sshd.pid")).Trim();
        // It writes the file again when it listens again.
        File.Delete($"{home}/sshd.pid");
        (await Run("/bin/kill", ["-HUP", pid], "")).Code.ShouldBe(0);
        await Eventually.Holds(() => File.Exists($"{home}/sshd.pid"), "sshd has begun again");
    }

    /// <summary>Where a program of the tests lies that a router's login may run.</summary>
    public string Program(string name)
    {
        var path = $"/run/na-lab/{_vpc}/{name}";
        File.Copy(Path.Combine(SandboxFixture.RepositoryRoot, "tests/devices", name), path, overwrite: true);
        File.SetUnixFileMode(path, (UnixFileMode)0b111_101_101);
        return path;
    }

    /// <summary>The running configurations of these routers.</summary>
    public async Task<Dictionary<string, string>> Texts(IEnumerable<string> routers)
    {
        var texts = new ConcurrentDictionary<string, string>(StringComparer.Ordinal);
        await Parallel.ForEachAsync(
            routers, async (router, _) => texts[router] = await Vtysh(router, ["-c", "show running-config"], ""));
        return new(texts, StringComparer.Ordinal);
    }

    /// <summary>What shell commands print on a machine of the lab, as its root.</summary>
    public async Task<string> Shell(string machine, string commands)
    {
        var (code, output) = await Run(
            Path.Combine(SandboxFixture.RepositoryRoot, "deploy/local/lab"), ["shell", "--vpc", _vpc, machine], commands);
        code.ShouldBe(0, output);
        return output;
    }

    internal SandboxDevice Device(string router, string? password = null, string? hostKey = null) => new(
        router, _routers[router].GetProperty("platform").GetString()!, 22, Username, password ?? Password, null, null,
        hostKey ?? _routers[router].GetProperty("hostKeySha256").GetString(), null);

    /// <summary>Connects on a thread that has entered the VPC's network namespace; the socket stays in it.</summary>
    internal Task<Stream?> Dial(string router, CancellationToken cancel)
    {
        var connected = new TaskCompletionSource<Stream?>(TaskCreationOptions.RunContinuationsAsynchronously);
        var thread = new Thread(() =>
        {
            try
            {
                using var space = File.OpenHandle($"/run/netns/na-{_vpc}");
                if (SetNamespace(space, 0x40000000) != 0)
                {
                    throw new IOException("setns failed");
                }

                var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
                socket.Connect(IPAddress.Parse(_routers[router].GetProperty("address").GetString()!), 22);
                connected.SetResult(new NetworkStream(socket, ownsSocket: true));
            }
            catch (Exception fault)
            {
                connected.SetException(fault);
            }
        });
        thread.Start();
        return connected.Task.WaitAsync(cancel);
    }

    private async Task<string> Vtysh(string router, string[] arguments, string input)
    {
        var home = $"/run/na-lab/{_vpc}/{router}";
        var (code, output) =
            await Run("/usr/bin/vtysh", ["--vty_socket", $"{home}/vty", "--config_dir", $"{home}/etc", .. arguments], input);
        code.ShouldBe(0, output);
        return output;
    }

    private Task<(int Code, string Output)> Lab(string verb, params string[] rest) =>
        Run(Path.Combine(SandboxFixture.RepositoryRoot, "deploy/local/lab"), [verb, "--vpc", _vpc, .. rest], "");

    private async Task<(int Code, string Output)> Run(string program, string[] arguments, string input)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        start.Environment["NETAUTOMATION_LOCAL"] = _state;
        start.Environment["VTYSH_PAGER"] = "cat";
        using var process = Process.Start(start)!;
        var error = process.StandardError.ReadToEndAsync();
        await process.StandardInput.WriteAsync(input);
        process.StandardInput.Close();
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return (process.ExitCode, process.ExitCode == 0 ? output : output + await error);
    }

    [DllImport("libc", EntryPoint = "setns", SetLastError = true)]
    private static extern int SetNamespace(SafeFileHandle space, int kind);
}
