using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging.Abstractions;
using NetAutomation.Catalog;
using NetAutomation.Execution;
using NetAutomation.Execution.Sandbox;

namespace NetAutomation.Cli;

/// <summary>The service's sandboxes without the service: a launcher, and copies of engine and platforms that all users may read.</summary>
internal sealed class Sandboxes : IAsyncDisposable
{
    private const UnixFileMode ForAll = (UnixFileMode)0b111_101_101;

    // A socket's path is short.
    private readonly string _root = Directory.CreateTempSubdirectory("na-").FullName;
    private readonly BubblewrapLauncher _launcher;
    private readonly IReadOnlyDictionary<string, string> _platforms;

    public Sandboxes(Source source)
    {
        File.SetUnixFileMode(_root, ForAll);
        var (ansible, content) = (Path.Combine(_root, "ansible"), Path.Combine(_root, "content"));
        Copy(source.Ansible, ansible);
        Copy(source.Platforms, content);
        var options = new ExecutionOptions
        {
            AnsibleDirectory = ansible, WorkDirectory = Path.Combine(_root, "w"),
            SandboxUid = Environment.IsPrivilegedProcess ? Starter() : null,
        };
        _launcher = new BubblewrapLauncher(
            Microsoft.Extensions.Options.Options.Create(options), new SandboxUsers(options, content, NullLogger.Instance),
            TimeProvider.System, NullLogger<BubblewrapLauncher>.Instance);
        _platforms = Directory.GetDirectories(content).ToDictionary(path => Path.GetFileName(path), StringComparer.Ordinal);
        _launcher.KeepReady([.. _platforms.Values]);
    }

    /// <summary>Runs a block on a device.</summary>
    /// <param name="input">Valid.</param>
    /// <param name="secret">The texts of the input's secrets.</param>
    /// <param name="restored">The configuration that the device is to have, of a block that restores one.</param>
    public async Task<SandboxDeviceResult> Run(
        Block block, JsonElement input, Func<CredentialId, string?> secret, Device device, bool check, byte[]? restored,
        CancellationToken cancel)
    {
        string[] secrets = [.. BlockInput.Secrets(block.Version, input).Select(secret).OfType<string>()];
        var given = BlockInput.WithSecrets(block.Version, input, id => JsonValue.Create(secret(id)));
        var run = _launcher.Start(
            new SandboxJob(
                $"run-{Guid.NewGuid():N}", block.Version.Directory, _platforms, check, given,
                [device.InSandbox with { Restored = restored }], TimeSpan.FromMinutes(3), TimeSpan.FromMinutes(1), secrets,
                BlockInput.Login(block.Version)),
            (_, cancelDial) => device.Dial(cancelDial));
        await using var stop = cancel.Register(() => _ = run.Stop(TimeSpan.Zero));
        IReadOnlyList<SandboxArtifact> texts = [];
        await foreach (var each in run.Events)
        {
            // A run waits for its reader. What is told with an outcome is not told again.
            texts = each.Outcome?.Texts ?? texts;
        }

        cancel.ThrowIfCancellationRequested();
        return (await run.Completion).Devices[0] with { Texts = texts };
    }

    public async ValueTask DisposeAsync()
    {
        await _launcher.DisposeAsync();
        Directory.Delete(_root, recursive: true);
    }

    /// <summary>The services' user of this host, who may have ids for sandboxes; any user without it.</summary>
    private static int Starter() => File.ReadLines("/etc/passwd").Select(line => line.Split(':'))
        .Where(user => user[0] == "netautomation").Select(user => int.Parse(user[2], CultureInfo.InvariantCulture)).FirstOrDefault(64123);

    private static void Copy(string from, string to)
    {
        Directory.CreateDirectory(to);
        File.SetUnixFileMode(to, ForAll);
        foreach (var directory in Directory.GetDirectories(from).Where(path => Path.GetFileName(path) != "__pycache__"))
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
