using System.Text;
using System.Text.Json;
using NetAutomation.Runs;

namespace NetAutomation.Execution.Sandbox;

/// <summary>Collects the messages about one device, and concludes its outcome from them.</summary>
internal sealed class DeviceProgress(SandboxJob job, string name, SandboxLink link, Scrubber scrubber)
{
    private const int DiffLimit = 256 * 1024;
    private const int MessageLimit = 4 * 1024;
    private const int ResultLimit = 64 * 1024;
    private const int ArtifactLimit = 8 * 1024 * 1024;
    private const int ArtifactCount = 16;
    private readonly StringBuilder _diff = new();
    private readonly Dictionary<string, MemoryStream> _artifacts = new(StringComparer.Ordinal);
    private string? _code;
    private string _message = "";
    private JsonElement? _result;
    private bool _excluded;
    private bool _changed;
    private bool _taskDone;
    private bool _inTask;
    private bool _lost;

    public string Name => name;

    public bool Started { get; private set; }

    /// <summary>The block handed over its result, which it does last.</summary>
    public bool Done => _result is not null;

    /// <summary>The last outcome that was announced: a later fault is announced, too.</summary>
    public SandboxDeviceResult? Announced { get; set; }

    public bool Start()
    {
        var first = !Started;
        Started = _inTask = true;
        return first;
    }

    public void Exclude(string code, string text)
    {
        _excluded = true;
        Fail(code, text);
    }

    public void Task(string status, bool changed, string text, string diff, bool ignored)
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
            Fail(DeviceCode.ConnectTimeout, text);
        }
        else if (status == "failed" && !ignored && _code is null)
        {
            // Only the first: a rescue that fails afterwards reports a failure of its own.
            Fail(FailureText.Classify(text), text);
        }
    }

    public void Result(JsonElement result) => _result = scrubber.Json(result, ResultLimit);

    public void Artifact(string artifact, byte[] piece)
    {
        if (!_artifacts.TryGetValue(artifact, out var content) && _artifacts.Count < ArtifactCount)
        {
            _artifacts[artifact] = content = new MemoryStream();
        }

        if (content is not null && content.Length + piece.Length <= ArtifactLimit)
        {
            content.Write(piece);
        }
        else
        {
            _lost = true;
        }
    }

    /// <param name="failed">Ansible's own count; null where it has not come.</param>
    /// <param name="stopCode">Why the run ended early, null if it did not.</param>
    public SandboxDeviceResult Conclude(bool? failed, bool ended, string? stopCode)
    {
        if (_lost)
        {
            return Make(DeviceOutcome.Failed, DeviceCode.InternalError, "An artifact was larger than allowed.");
        }

        if (_excluded || failed == true)
        {
            return Failure();
        }

        if (Done || (failed == false && ended && stopCode is null))
        {
            return Make(_changed ? DeviceOutcome.Changed : DeviceOutcome.Ok, null, null);
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
        // Ansible has many words for a refused stream. Where the block never had a stream, the refusal itself gives the reason.
        var refusal = !link.Opened(name) ? link.Refusal(name) : null;
        var code = refusal?.Code ?? _code ?? DeviceCode.TaskFailed;
        var message = refusal?.Message ?? FailureText.Describe(code, _message);
        var reached = refusal is null && (_taskDone || _code != DeviceCode.ConnectTimeout);
        return Make(reached ? DeviceOutcome.Failed : DeviceOutcome.Unreachable, code, message);
    }

    private void Fail(string code, string text) => (_code, _message) = (code, text);

    private SandboxDeviceResult Make(DeviceOutcome outcome, string? code, string? message) => new(
        name,
        outcome,
        Changed(outcome, code),
        link.Contacted(name),
        code,
        message is null ? null : scrubber.Text(message, MessageLimit),
        _diff.ToString(),
        _result,
        [.. _artifacts.Select(
            artifact => new SandboxArtifact(scrubber.Text(artifact.Key, 100), scrubber.Artifact(artifact.Value.ToArray())))]);

    private bool? Changed(DeviceOutcome outcome, string? code) => outcome switch
    {
        DeviceOutcome.Ok or DeviceOutcome.NotStarted or DeviceOutcome.Unreachable => false,
        DeviceOutcome.Changed => true,
        _ when _changed && !job.Check => true,
        // Refused before anything could be sent to it.
        _ when !_taskDone && code is DeviceCode.AuthFailed or DeviceCode.HostKeyMismatch or DeviceCode.NotAllowed => false,
        _ => null,
    };
}
