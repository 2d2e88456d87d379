using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.ComponentModel;
using System.Text.Json;
using Microsoft.Extensions.Options;
using NetAutomation.Tunnel;

namespace NetAutomation.Execution.Sandbox;

/// <summary>Runs each job in namespaces of its own, made by bubblewrap.</summary>
internal sealed partial class BubblewrapLauncher(
    IOptions<ExecutionOptions> options, SandboxUsers users, TimeProvider clock, ILogger<BubblewrapLauncher> log)
    : ISandboxLauncher, IAsyncDisposable
{
    private const int MessageLimit = 2 * 1024;
    private static readonly TimeSpan _pause = TimeSpan.FromSeconds(10);
    private readonly ExecutionOptions _options = options.Value;
    private readonly Lock _filterLock = new();
    private readonly ConcurrentQueue<Spare> _spares = new();
    private readonly CancellationTokenSource _ending = new();
    private readonly SemaphoreSlim _taken = new(0);
    private Task _making = Task.CompletedTask;
    private bool _keepsReady;
    private volatile string[] _platforms = [];
    private string? _filter;

    public void KeepReady(IReadOnlyList<string> platforms)
    {
        if (_options.Warm && _options.Spares > 0 && !_keepsReady)
        {
            (_keepsReady, _platforms) = (true, [.. platforms]);
            _taken.Release(_options.Spares);
            _making = Task.Run(MakeSpares, CancellationToken.None);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _ending.CancelAsync();
        await _making.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        while (_spares.TryDequeue(out var spare))
        {
            await spare.DisposeAsync();
        }

        _ending.Dispose();
        _taken.Dispose();
    }

    public SandboxRun Start(SandboxJob job, Dial dial)
    {
        Validate(job);
        var input = UnsafeInput.Mark(job.Input);
        var block = Block(job.BlockDirectory);
        string[] platforms = [.. job.Platforms.Values];
        Spare? made = null;
        SandboxLink link;
        try
        {
            made = Take(job.Id, platforms) ?? Make(job.Id, platforms, job.Devices.Count);
            // A spare was made for as many as there may be.
            made.Place.Group.Limit(job.Devices.Count);
            link = Link(made.Place, job.Devices, dial);
        }
        catch (Exception fault) when (IsOwn(fault))
        {
            _ = made?.DisposeAsync().AsTask();
            throw new SandboxFailedException(fault);
        }

        var run = new SandboxRun(job, link, made.Place, made.Process, clock);
        run.Start(Line(new
        {
            mode = "run", devices = Describe(job.Devices, job.Platforms, link), check = job.Check,
            ansiblePlaybook = _options.AnsiblePlaybook, block, input, login = job.Login,
            guard = job.Guard is not { } guard ? null : new
            {
                confirmSeconds = guard.ConfirmSeconds, soakSeconds = guard.SoakSeconds,
                lost = new { neighbors = guard.LostNeighbors, default_routes = guard.LostDefaultRoutes },
            },
        }));
        return run;
    }

    public async Task<IReadOnlyList<ProbeResult>> Probe(
        IReadOnlyList<SandboxDevice> devices, Dial dial, TimeSpan timeout, CancellationToken cancel = default)
    {
        try
        {
            return await ProbeIn(devices, dial, timeout, cancel);
        }
        catch (Exception fault) when (IsOwn(fault))
        {
            throw new SandboxFailedException(fault);
        }
    }

    private async Task<IReadOnlyList<ProbeResult>> ProbeIn(
        IReadOnlyList<SandboxDevice> devices, Dial dial, TimeSpan timeout, CancellationToken cancel)
    {
        using var place = new SandboxPlace(_options, users.Take(), "probe-" + Guid.CreateVersion7().ToString("N"), devices.Count);
        await using var link = Link(place, devices, dial);
        var start = BubblewrapCommand.Build(_options, Filter(), place, platforms: [], devices.Count, BubblewrapCommand.Init(_options));
        await using var process = SandboxProcess.Start(start, place.InfoPath, clock);
        await process.Give(Line(new
        {
            mode = "probe", devices = Describe(devices, ImmutableDictionary<string, string>.Empty, link),
            timeoutSeconds = Math.Max(1, timeout.TotalSeconds - 2),
        }));
        using var limit = cancel.Within(timeout);
        await using var kill = limit.Token.Register(process.Kill);
        var results = new Dictionary<string, ProbeResult>(StringComparer.Ordinal);
        await foreach (var bytes in process.Lines())
        {
            if (bytes is not null && JsonSerializer.Deserialize<JsonElement>(bytes) is var message
                && message.GetProperty("event").ValueEquals("probe"))
            {
                var device = devices.First(each => message.GetProperty("device").ValueEquals(each.Name));
                results[device.Name] = Read(message, link, device);
            }
        }

        cancel.ThrowIfCancellationRequested();
        return [.. devices.Select(
            device => results.GetValueOrDefault(device.Name) ?? Silent(link, device.Name, limit.IsCancellationRequested))];
    }

    /// <summary>A fault of the host: it has no room, or refuses something.</summary>
    private static bool IsOwn(Exception fault) => fault is IOException or InvalidOperationException or UnauthorizedAccessException
        or Win32Exception;

    /// <summary>A sandbox sees no block but its job's, which comes with the job: what a run reads of it, below <c>platforms</c>.</summary>
    private static Dictionary<string, byte[]> Block(string directory) =>
        Directory.EnumerateFiles(Path.Combine(directory, "platforms"), "*", SearchOption.AllDirectories)
            .ToDictionary(path => Path.GetRelativePath(directory, path), File.ReadAllBytes, StringComparer.Ordinal);

    private Spare? Take(string id, string[] platforms)
    {
        if (_platforms.Union(platforms, StringComparer.Ordinal).ToArray() is var known && known.Length > _platforms.Length)
        {
            // Published since: the next spares have them.
            _platforms = known;
        }

        while (_spares.TryDequeue(out var spare))
        {
            _taken.Release();
            if (!spare.Process.HasExited && platforms.All(spare.Platforms.Contains))
            {
                spare.Place.Name(id);
                return spare;
            }

            _ = spare.DisposeAsync().AsTask();
        }

        return null;
    }

    private Spare Make(string id, IReadOnlyList<string> platforms, int devices)
    {
        var place = new SandboxPlace(_options, users.Take(), id, devices);
        try
        {
            var program = _options.Warm ? BubblewrapCommand.Warm(_options, platforms) : BubblewrapCommand.Init(_options);
            var start = BubblewrapCommand.Build(_options, Filter(), place, platforms, devices, program);
            return new Spare(place, SandboxProcess.Start(start, place.InfoPath, clock), platforms);
        }
        catch
        {
            place.Dispose();
            throw;
        }
    }

    private SandboxLink Link(SandboxPlace place, IReadOnlyList<SandboxDevice> devices, Dial dial)
    {
        var link = new SandboxLink(place.SocketPath, place.User.Id, devices, dial, clock)
        {
            Stranger = user => Log.Stranger(log, place.SocketPath, user, place.User.Id),
        };
        link.Listen();
        return link;
    }

    private async Task MakeSpares()
    {
        while (!_ending.IsCancellationRequested)
        {
            await _taken.WaitAsync(_ending.Token);
            try
            {
                _spares.Enqueue(Make($"spare-{Guid.CreateVersion7():N}", [.. _platforms.Where(Directory.Exists)], _options.DevicesAtOnce));
            }
            catch (Exception fault) when (IsOwn(fault))
            {
                // A run makes its own sandbox then, and reports the fault.
                _taken.Release();
                await Task.Delay(_pause, clock, _ending.Token);
            }
        }
    }

    private static ProbeResult Read(JsonElement message, SandboxLink link, SandboxDevice device)
    {
        var stage = message.GetProperty("stage").GetString()!;
        if (stage == "tcp")
        {
            return Silent(link, device.Name, timedOut: true);
        }

        var code = message.GetProperty("code").GetString();
        var text = new Scrubber(device.Secrets).Text(message.GetProperty("text").GetString()!, MessageLimit);
        return new ProbeResult(
            device.Name, code is null, stage, code, Rtt(link, device.Name), message.GetProperty("hostKeySha256").GetString(),
            message.GetProperty("hostKey").GetString(), code is null ? null : text, Flag(message.GetProperty("pending")));
    }

    /// <param name="timedOut">False: the sandbox ended without a word.</param>
    private static ProbeResult Silent(SandboxLink link, string device, bool timedOut)
    {
        // A device that nobody has dialled cannot have been silent.
        var code = timedOut && link.Asked(device) ? DeviceCode.ConnectTimeout : DeviceCode.SandboxFailed;
        var refusal = link.Contacted(device) ? null : link.Refusal(device);
        var stage = link.Contacted(device) ? "ssh" : link.Asked(device) ? "tcp" : null;
        return new ProbeResult(
            device, false, stage, refusal?.Code ?? code, Rtt(link, device), null, null,
            refusal?.Message ?? FailureText.Describe(code, ""));
    }

    private static bool? Flag(JsonElement value) => value.ValueKind == JsonValueKind.Null ? null : value.GetBoolean();

    private static int? Rtt(SandboxLink link, string device) => link.DialTime(device) is { } took
        ? (int)Math.Ceiling(took.TotalMilliseconds) : null;

    private static byte[] Line(object job) => [.. JsonSerializer.SerializeToUtf8Bytes(job), (byte)'\n'];

    private static IEnumerable<object> Describe(
        IEnumerable<SandboxDevice> devices, IReadOnlyDictionary<string, string> platforms, SandboxLink link) =>
        devices.Select(device => new
        {
            name = device.Name, address = link.AddressOf(device.Name),
            platform = platforms.TryGetValue(device.Platform, out var platform) ? BubblewrapCommand.Inside(platform) : null,
            username = device.Username, password = device.Password, pendingPassword = device.PendingPassword,
            privateKey = device.PrivateKey, passphrase = device.Passphrase,
            answers = device.Answers.Select(each => new { pattern = each.Pattern, answer = each.Answer }), enable = device.Enables,
            enablePassword = device.EnablePassword, enableLevel = device.EnableLevel, hostKeySha256 = device.HostKeySha256,
            hostKey = device.HostKey, planned = device.Planned,
            look = device.Look is not { } look ? null : new
            {
                before = look.Before, wanted = look.Wanted, stays = look.Stays, ours = look.Ours, putsBack = look.PutsBack,
                text = look.Text,
            },
            restored = device.Restored,
            options = new
            {
                connectSeconds = device.Options.ConnectSeconds, commandSeconds = device.Options.CommandSeconds,
                prompt = device.Options.Prompt, firstQuestion = device.Options.FirstQuestion, firstAnswer = device.Options.FirstAnswer,
                shell = device.Options.Shell,
            },
        });

    private string Filter()
    {
        lock (_filterLock)
        {
            // Something may have cleaned the work directory.
            if (_filter is null || !File.Exists(_filter))
            {
                _filter = SandboxProbe.WriteFilter(_options);
            }

            return _filter;
        }
    }

    private static void Validate(SandboxJob job)
    {
        if (!SandboxDevice.IsAlias(job.Id) || job.Devices.Count == 0 || job.Devices.Any(device => !SandboxDevice.IsAlias(device.Name)))
        {
            throw new ArgumentException("A job needs an id and devices whose names are plain aliases.", nameof(job));
        }

        if (job.Devices.Any(device => string.IsNullOrEmpty(device.HostKeySha256)))
        {
            throw new ArgumentException("A device without a pinned host key cannot be part of a run.", nameof(job));
        }
    }

    private static partial class Log
    {
        [LoggerMessage(814, LogLevel.Warning, "User {Stranger} of this host has tried to use {Link}, which is for {User} alone")]
        public static partial void Stranger(ILogger logger, string link, uint stranger, uint user);
    }

    /// <summary>A sandbox that waits for its job.</summary>
    private sealed record Spare(SandboxPlace Place, SandboxProcess Process, IReadOnlyList<string> Platforms) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync()
        {
            await Process.DisposeAsync();
            Place.Dispose();
        }
    }
}
