using System.Globalization;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using NetAutomation.Catalog.Publish;
using NetAutomation.Catalog.Schema;
using NetAutomation.Content;
using NetAutomation.Execution;
using NetAutomation.Execution.Sandbox;

namespace NetAutomation.Tests.Execution;

/// <summary>A directory that any user can read, with the real Ansible files and blocks, and a launcher for sandboxes.</summary>
public class SandboxFixture : IAsyncDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("na-t").FullName;

    public SandboxFixture()
        : this(warm: true)
    {
    }

    protected SandboxFixture(bool warm)
    {
        // The checkout may lie in a home directory that the sandbox's user cannot enter.
        File.SetUnixFileMode(_root, (UnixFileMode)0b111_101_101);
        Copy(Path.Combine(AppContext.BaseDirectory, "ansible"), Path.Combine(_root, "ansible"));
        Copy(Path.Combine(AppContext.BaseDirectory, "blocks"), Content);
        Copy(Path.Combine(AppContext.BaseDirectory, "platforms"), Content);
        Options = new ExecutionOptions
        {
            AnsibleDirectory = Path.Combine(_root, "ansible"),
            WorkDirectory = Path.Combine(_root, "w"),
            Warm = warm,
            SandboxUid = Environment.IsPrivilegedProcess ? Starter() : null,
            // deploy/sandbox/record puts a program around it.
            Bubblewrap = Environment.GetEnvironmentVariable("NETAUTOMATION_TEST_BUBBLEWRAP") ?? new ExecutionOptions().Bubblewrap,
        };
        Users = UsersOf(Options);
        Launcher = Launch(Options, Users);
    }

    internal ExecutionOptions Options { get; }

    internal SandboxUsers Users { get; }

    internal ISandboxLauncher Launcher { get; }

    /// <summary>Puts blocks and platforms side by side, as a worker unpacks them.</summary>
    internal string Content => Path.Combine(_root, "content");

    internal IReadOnlyDictionary<string, string> Platforms =>
        Directory.GetFiles(Content, "platform.yaml", SearchOption.AllDirectories).Select(path => Path.GetDirectoryName(path)!)
            .ToDictionary(path => Path.GetFileName(path), StringComparer.Ordinal);

    public static string RepositoryRoot
    {
        get
        {
            var directory = AppContext.BaseDirectory;
            while (!File.Exists(Path.Combine(directory, "NetAutomation.sln")))
            {
                directory = Path.GetDirectoryName(directory)
                    ?? throw new InvalidOperationException("No NetAutomation.sln above the tests.");
            }

            return directory;
        }
    }

    public static JsonElement Json(string text) => JsonSerializer.Deserialize<JsonElement>(text);

    /// <summary>Writes a block for one test: tasks or lines for one platform.</summary>
    public string Block(string part, string platform = "frr")
    {
        var directory = Path.Combine(Content, "b" + Guid.NewGuid().ToString("N"));
        Write(Path.Combine(directory, "platforms"), platform + ".yml", part);
        File.SetUnixFileMode(directory, (UnixFileMode)0b111_101_101);
        return directory;
    }

    /// <summary>Writes a file that the sandbox's user may read.</summary>
    public static void Write(string directory, string name, string text)
    {
        Directory.CreateDirectory(directory);
        File.SetUnixFileMode(directory, (UnixFileMode)0b111_101_101);
        File.WriteAllText(Path.Combine(directory, name), text);
        File.SetUnixFileMode(Path.Combine(directory, name), (UnixFileMode)0b110_100_100);
    }

    /// <param name="ranges">The directory of other files subuid and subgid than the host's.</param>
    internal SandboxUsers UsersOf(ExecutionOptions options, string ranges = "/etc", ILogger? log = null)
    {
        Directory.CreateDirectory(Content);
        return new SandboxUsers(options, Content, log ?? NullLogger.Instance, ranges);
    }

    internal static BubblewrapLauncher Launch(
        ExecutionOptions options, SandboxUsers users, ILogger<BubblewrapLauncher>? log = null) => new(
        Microsoft.Extensions.Options.Options.Create(options), users, TimeProvider.System, log ?? NullLogger<BubblewrapLauncher>.Instance);

    /// <summary>Reads a run to its end; the results have the artifacts that came with the events.</summary>
    internal static async Task<(SandboxResult Result, List<SandboxEvent> Events)> Finish(
        SandboxRun run, Action<IReadOnlyList<SandboxEvent>>? seen = null)
    {
        var events = new List<SandboxEvent>();
        await foreach (var runEvent in run.Events)
        {
            events.Add(runEvent);
            seen?.Invoke(events);
        }

        var result = await run.Completion;
        return (
            result with
            {
                Devices = [.. result.Devices.Select(device => device with
                {
                    Artifacts = events.Select(each => each.Outcome).FirstOrDefault(told => told?.Name == device.Name)?.Artifacts
                        ?? device.Artifacts,
                    Texts = events.Select(each => each.Outcome).FirstOrDefault(told => told?.Name == device.Name)?.Texts ?? device.Texts,
                })],
            },
            events);
    }

    /// <summary>Runs a block on real routers; its results are as it promises them.</summary>
    internal async Task<(SandboxResult Result, List<SandboxEvent> Events)> Run(
        RouterLab lab, string block, string input, bool check, params SandboxDevice[] devices)
    {
        var (result, events) = await Finish(Launcher.Start(Job(block, input, check, devices), lab.Dial));
        var promised =
            InputSchema.Read(BlockManifest.Read(ContentFolder.Read(Path.Combine(Content, block))).Result!.Schema.GetRawText());
        result.Devices.Where(device => device.Result is not null).SelectMany(device => promised.Faults(device.Result!.Value))
            .ShouldBeEmpty();
        return (result, events);
    }

    internal SandboxJob Job(string block, string input, bool check, SandboxDevice[] devices) => new(
        "run_" + Guid.NewGuid().ToString("N")[..12], Path.Combine(Content, block), Platforms, check,
        Json(input), devices, TimeSpan.FromMinutes(3), TimeSpan.FromMinutes(1));

    public async ValueTask DisposeAsync()
    {
        await ((BubblewrapLauncher)Launcher).DisposeAsync();
        Directory.Delete(_root, recursive: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>The services' user of this host, who may have ids for sandboxes; any user without it.</summary>
    private static int Starter() => File.ReadLines("/etc/passwd").Select(line => line.Split(':'))
        .Where(user => user[0] == (Environment.GetEnvironmentVariable("NETAUTOMATION_PG_USER") ?? "netautomation"))
        .Select(user => int.Parse(user[2], CultureInfo.InvariantCulture)).FirstOrDefault(64123);

    private static void Copy(string from, string to)
    {
        Directory.CreateDirectory(to);
        File.SetUnixFileMode(to, (UnixFileMode)0b111_101_101);
        foreach (var directory in Directory.GetDirectories(from))
        {
            Copy(directory, Path.Combine(to, Path.GetFileName(directory)));
        }

        foreach (var file in Directory.GetFiles(from))
        {
            var copy = Path.Combine(to, Path.GetFileName(file));
            File.Copy(file, copy);
            File.SetUnixFileMode(copy, (UnixFileMode)0b110_100_100);
        }
    }
}

/// <summary>The same fixture with the stock <c>ansible-playbook</c>.</summary>
public sealed class StockSandboxFixture() : SandboxFixture(warm: false);
