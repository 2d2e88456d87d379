using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using NetAutomation.Runs;

namespace NetAutomation.Execution.Sandbox;

/// <summary>Collects the messages about one device, and concludes its outcome from them.</summary>
internal sealed class DeviceProgress(SandboxJob job, string name, SandboxLink link, Scrubber scrubber, ArtifactRoom room)
{
    private const int DiffLimit = 256 * 1024;
    private const int MessageLimit = 4 * 1024;
    // Holds the lines and the undo of the largest input of a block of lines.
    private const int ResultLimit = 256 * 1024;
    private const int ArtifactLimit = 8 * 1024 * 1024;
    private const int ArtifactCount = 16;
    private readonly StringBuilder _diff = new();
    private readonly Dictionary<string, MemoryStream> _artifacts = new(StringComparer.Ordinal);
    private readonly Dictionary<string, MemoryStream?> _texts = new(StringComparer.Ordinal);
    private readonly Dictionary<string, IncrementalHash> _hashes = new(StringComparer.Ordinal);
    private string? _code;
    private string _message = "";
    private JsonElement? _result;
    private JsonElement? _undo;
    private IReadOnlyList<SandboxArtifact> _handedOver = [];
    private string? _lost;
    private bool _excluded;
    private bool _changed;
    private bool _taskDone;
    // Of a change under guard.
    private volatile bool _begun;
    private bool _reverted;
    private bool _inTask;

    public string Name => name;

    public bool Started { get; private set; }

    /// <summary>The block handed over its result, which it does last, and nothing of what it handed over is missing.</summary>
    public bool Done => _result is not null && _lost is null;

    /// <summary>Something on it has failed, or it was never played.</summary>
    public bool HasFailed => _excluded || _code is not null;

    /// <summary>The last outcome that was announced: a later fault is announced, too.</summary>
    public DeviceOutcome? Announced { get; set; }

    public bool Start()
    {
        var first = !Started;
        Started = _inTask = true;
        return first;
    }

    public void Exclude(string code, string text)
    {
        _excluded = true;
        (_code, _message) = (code, FailureText.Describe(code, text));
    }

    /// <summary>From here on a change under guard may be there.</summary>
    public void Begin() => _begun = true;

    /// <summary>The device has its configuration before again.</summary>
    public void Revert() => _reverted = true;

    /// <summary>Of a configuration of the device, however large; null where none was told.</summary>
    public string? Hash(string which) =>
        _hashes.GetValueOrDefault(which) is { } hash ? TextHash.Of(hash) : null;

    /// <summary>The configuration before; null where it is not here whole.</summary>
    public byte[]? Before => _texts.GetValueOrDefault("before")?.ToArray();

    /// <param name="code">Why the task failed, where our own code inside the sandbox knows.</param>
    public void Task(string status, bool changed, string text, string diff, bool ignored, string? code)
    {
        _inTask = status == "retry";
        _changed |= changed && status == "ok";
        if (diff.Length > 0 && _diff.Length < DiffLimit)
        {
            _diff.Append(scrubber.Text(diff, DiffLimit - _diff.Length)).Append('\n');
        }

        _taskDone |= status == "ok";
        if (status == "unreachable")
        {
            (_code, _message) = code is null
                ? (DeviceCode.ConnectTimeout, FailureText.Describe(DeviceCode.ConnectTimeout, text)) : FailureText.Read(text, code);
        }
        else if (status == "failed" && !ignored && _code is null)
        {
            // Only the first: a rescue that fails afterwards reports a failure of its own.
            (_code, _message) = FailureText.Read(text, code);
        }
    }

    /// <summary>Something of what the block says did not arrive: whatever else arrives, the device is not done.</summary>
    public void Lose(string what)
    {
        _lost ??= what;
        room.Change(-_artifacts.Values.Sum(content => content.Length));
        _artifacts.Clear();
    }

    /// <param name="artifacts">What was handed over before: size and SHA-256 by name.</param>
    public void Result(JsonElement result, JsonElement artifacts)
    {
        if (Done)
        {
            return;
        }

        _result = scrubber.Json(result, ResultLimit);
        if (_result is null)
        {
            Lose($"The block's result is larger than {ResultLimit >> 10} KiB, or cannot be shown.");
        }

        var handedOver = new List<SandboxArtifact>();
        foreach (var artifact in artifacts.EnumerateObject())
        {
            if (Arrived(artifact.Name, artifact.Value) is not { } content)
            {
                Lose($"The artifact {artifact.Name} did not arrive whole.");
            }
            else if (scrubber.Artifact(content) is not { Length: <= ArtifactLimit } scrubbed)
            {
                Lose($"The artifact {artifact.Name} cannot be shown.");
            }
            else
            {
                handedOver.Add(new SandboxArtifact(scrubber.Text(artifact.Name, 100), scrubbed));
            }
        }

        if (_lost is null)
        {
            room.Change(handedOver.Sum(file => file.Content.Length) - _artifacts.Values.Sum(content => content.Length));
            _handedOver = handedOver;
        }

        _artifacts.Clear();
    }

    /// <summary>Whoever was told the outcome has the artifacts and texts, too.</summary>
    public void Forget()
    {
        _handedOver = [];
        _texts.Clear();
    }

    /// <summary>What takes the change back that comes now. A device that fails has it as its result.</summary>
    public void Undo(JsonElement message) => _undo = scrubber.Json(
        JsonSerializer.SerializeToElement(new { undo = message.GetProperty("undo") }), ResultLimit);

    /// <param name="first">The artifact begins with this piece, in place of one of the same name.</param>
    /// <param name="over">Nobody reads the events of the run any more.</param>
    public async Task Artifact(string artifact, bool first, byte[] piece, Task over)
    {
        // One that has lost something, or has handed over its result, needs no more of them.
        if (_lost is not null || Done)
        {
            return;
        }

        if (first && (_artifacts.ContainsKey(artifact) || _artifacts.Count < ArtifactCount))
        {
            room.Change(-(_artifacts.GetValueOrDefault(artifact)?.Length ?? 0));
            _artifacts[artifact] = new MemoryStream();
        }

        if (!_artifacts.TryGetValue(artifact, out var content))
        {
            Lose($"The block handed over more than {ArtifactCount} artifacts.");
        }
        else if (content.Length + piece.Length > ArtifactLimit)
        {
            Lose($"The artifact {artifact} is larger than {ArtifactLimit >> 20} MiB.");
        }
        else if (!await room.Enter(piece.Length, over))
        {
            Lose($"The block handed over more than {ArtifactRoom.Most >> 20} MiB of artifacts at the same time. "
                + "Fewer devices in a batch (rollout.batchSize) may help.");
        }
        else
        {
            await content.WriteAsync(piece);
        }
    }

    /// <summary>A configuration of the device, in pieces. What does not fit is left out, but for its hash.</summary>
    /// <param name="over">Nobody reads the events of the run any more.</param>
    public async Task Text(string which, bool first, byte[] piece, Task over)
    {
        if (first)
        {
            room.Change(-(_texts.GetValueOrDefault(which)?.Length ?? 0));
            _texts[which] = new MemoryStream();
            _hashes[which] = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        }

        _hashes.GetValueOrDefault(which)?.AppendData(piece);

        if (_texts.GetValueOrDefault(which) is not { } text)
        {
            return;
        }

        if (text.Length + piece.Length > ArtifactLimit || !await room.Enter(piece.Length, over))
        {
            room.Change(-text.Length);
            _texts[which] = null;
            return;
        }

        await text.WriteAsync(piece);
    }

    /// <param name="failed">Ansible's own count; null where it has not come.</param>
    /// <param name="stopCode">Why the run ended early, null if it did not.</param>
    public SandboxDeviceResult Conclude(bool? failed, bool ended, string? stopCode)
    {
        if (_reverted)
        {
            return Make(DeviceOutcome.Reverted, _code ?? stopCode, _message.Length > 0 ? _message : null);
        }

        if (_begun && !Done)
        {
            return Make(DeviceOutcome.Unknown, _code ?? stopCode, _message.Length > 0 ? _message : null) with { Open = true };
        }

        if (_excluded || failed == true)
        {
            return Failure();
        }

        if (_lost is not null)
        {
            return Make(DeviceOutcome.Failed, DeviceCode.InternalError, _lost);
        }

        if (Done)
        {
            return Make(_changed ? DeviceOutcome.Changed : DeviceOutcome.Ok, null, null);
        }

        if (failed == false && ended && stopCode is null)
        {
            return Make(DeviceOutcome.Failed, DeviceCode.InternalError, "The block ended without a result.");
        }

        // Between two tasks, with nothing changed so far: the device is as it was.
        var untouched = !Started || (!_inTask && !_changed && _code is null);
        return (untouched, _code, job.Check) switch
        {
            (true, _, _) => Make(DeviceOutcome.NotStarted, stopCode, null),
            (_, not null, _) when !_inTask => Failure(),
            (_, _, true) => Make(DeviceOutcome.Failed, stopCode, null),
            _ => Make(DeviceOutcome.Unknown, stopCode, null),
        };
    }

    private SandboxDeviceResult Failure()
    {
        // The engine tells what takes a change back before it types anything: without that, nothing was typed.
        if (_code == DeviceCode.Drift && !_changed && _undo is null
            && job.Devices.Any(device => device.Name == name && device.Planned is not null))
        {
            return Make(DeviceOutcome.NotStarted, _code, _message);
        }

        // Ansible has many words for a refused stream. Where the block never had a stream, the refusal itself gives the reason.
        var refusal = !link.Opened(name) ? link.Refusal(name) : null;
        // A device that nobody has dialled cannot have been silent.
        var told = _code == DeviceCode.ConnectTimeout && !link.Asked(name) ? DeviceCode.SandboxFailed : _code;
        var code = refusal?.Code ?? told ?? (_lost is null ? DeviceCode.TaskFailed : DeviceCode.InternalError);
        var message = refusal?.Message ?? (_code is null ? _lost : null)
            ?? (told == DeviceCode.SandboxFailed ? FailureText.Describe(told, _message) : _message);
        var reached = refusal is null && (_taskDone || code != DeviceCode.ConnectTimeout);
        return Make(reached ? DeviceOutcome.Failed : DeviceOutcome.Unreachable, code, message);
    }

    private byte[]? Arrived(string artifact, JsonElement told) =>
        _artifacts.TryGetValue(artifact, out var content) && content.ToArray() is var bytes
        && bytes.Length == told.GetProperty("size").GetInt64()
        && Convert.ToHexStringLower(SHA256.HashData(bytes)) == told.GetProperty("sha256").GetString() ? bytes : null;

    private SandboxDeviceResult Make(DeviceOutcome outcome, string? code, string? message) => new(
        name,
        outcome,
        Changed(outcome, code),
        link.Contacted(name),
        code,
        message is null ? null : scrubber.Text(message, MessageLimit),
        _diff.ToString(),
        Done ? _result : outcome is DeviceOutcome.Failed or DeviceOutcome.Unknown ? _undo : null,
        Done ? _handedOver : [])
    {
        Kept = _begun,
        BeforeHash = Hash("before"),
        AfterHash = Hash("after"),
        Texts = [.. from text in _texts where text.Value is not null select new SandboxArtifact(text.Key, text.Value.ToArray())],
    };

    private bool? Changed(DeviceOutcome outcome, string? code) => outcome switch
    {
        DeviceOutcome.Ok or DeviceOutcome.NotStarted or DeviceOutcome.Unreachable or DeviceOutcome.Reverted => false,
        DeviceOutcome.Changed => true,
        _ when _changed && !job.Check => true,
        // The engine read it and left it alone, or it was refused before anything could be sent to it.
        _ when code == DeviceCode.Refused => false,
        _ when !_taskDone && code == DeviceCode.SandboxFailed && !link.Asked(name) => false,
        _ when !_taskDone && code is DeviceCode.AuthFailed or DeviceCode.HostKeyMismatch or DeviceCode.KeyUnreadable
            or DeviceCode.NotAllowed or DeviceCode.PasswordExpired or DeviceCode.PlatformMismatch or DeviceCode.SshIncompatible
            or DeviceCode.TooManySessions => false,
        _ => null,
    };
}
