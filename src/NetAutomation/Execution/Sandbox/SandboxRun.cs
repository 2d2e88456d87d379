using System.Text.Json;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using NetAutomation.Runs;
using NetAutomation.Web;

namespace NetAutomation.Execution.Sandbox;

/// <summary>One job while it runs: events as they come, then one result per device, whatever goes wrong.</summary>
internal sealed class SandboxRun(SandboxJob job, SandboxLink link, SandboxPlace place, SandboxProcess process, TimeProvider clock)
{
    private const int OutputLimit = 4 * 1024;

    // Bits of ansible-playbook's exit code that tell of failed and unreachable hosts alone.
    private const int HostsFailed = 2 | 4 | 8;
    private static readonly TimeSpan _readerPatience = TimeSpan.FromSeconds(5);
    private readonly Channel<SandboxEvent> _events =
        Channel.CreateBounded<SandboxEvent>(new BoundedChannelOptions(256) { SingleReader = true });
    private readonly Scrubber _scrubber = new(job.Devices.SelectMany(device => device.Secrets).Concat(job.Secrets ?? []));
    private readonly ArtifactRoom _room = new();
    private readonly Dictionary<string, DeviceProgress> _devices = new(StringComparer.Ordinal);
    private readonly Dictionary<string, bool> _failures = new(StringComparer.Ordinal);
    private readonly TaskCompletionSource _abandoned = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Task _given = Task.CompletedTask;
    private long _lastEvent = clock.GetTimestamp();
    private volatile string? _stopCode;
    private string? _exceeded;
    private volatile bool _stopped;
    private volatile bool _waitingForReader;
    private bool _ended;
    private int _exitCode;

    /// <summary>Must be read to the end: the run waits for a reader that is slow.</summary>
    public IAsyncEnumerable<SandboxEvent> Events => Read();

    /// <summary>Never faults; ends when no process is left and every device has an outcome.</summary>
    public Task<SandboxResult> Completion { get; private set; } = Task.FromCanceled<SandboxResult>(new(canceled: true));

    // Who asks for the next event has done with the one before.
    private async IAsyncEnumerable<SandboxEvent> Read()
    {
        await foreach (var next in _events.Reader.ReadAllAsync(CancellationToken.None))
        {
            yield return next;
            _room.Leave(Size(next.Outcome));
        }
    }

    /// <summary>Gives the sandbox its job. Call it once, before everything else.</summary>
    public void Start(byte[] firstLine)
    {
        foreach (var device in job.Devices)
        {
            _devices.Add(device.Name, new DeviceProgress(job, device.Name, link, _scrubber, _room));
        }

        _given = process.Give(firstLine);
        Completion = Task.Run(Run, CancellationToken.None);
    }

    /// <summary>Lets the tasks under way end for as long as <paramref name="grace"/>, then kills; returns when nothing is left.</summary>
    public async Task Stop(TimeSpan grace)
    {
        _stopped = true;
        if (!Completion.IsCompleted)
        {
            if (grace > TimeSpan.Zero)
            {
                _ = AskToStop();
                await Task.WhenAny(Completion, Task.Delay(grace, clock, CancellationToken.None));
            }

            Kill();
        }

        await Completion;
    }

    /// <summary>Says what becomes of the change of a device.</summary>
    public Task Tell(Verdict verdict, string device)
    {
        if (verdict == Verdict.Go)
        {
            _devices[device].Begin();
        }

        return process.Tell(verdict, device);
    }

    // The job is the first line it reads, whole.
    private async Task AskToStop()
    {
        await _given.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await process.AskToStop();
    }

    private async Task<SandboxResult> Run()
    {
        string? fault = null;
        var gone = false;
        try
        {
            await using var ending = process;
            await _given;
            using var over = new CancellationTokenSource();
            var watch = Watch(over.Token);
            await foreach (var line in process.Lines())
            {
                await Handle(line);
            }

            await over.CancelAsync();
            await watch;
            process.Kill();
            gone = await process.Gone();
            _exceeded = place.Group.Exceeded();
            fault = Fault(gone);
        }
        catch (Exception thrown)
        {
            fault = $"The sandbox failed: {thrown.GetType().Name}.";
        }

        var results = _devices.Values.Select(device => Blame(Conclude(device, gone, fault))).ToList();
        try
        {
            await link.DisposeAsync();
            foreach (var (device, result) in _devices.Values.Zip(results))
            {
                await Announce(device, result);
            }
        }
        finally
        {
            _events.Writer.TryComplete();
            place.Dispose();
        }

        return new SandboxResult(results, fault, gone);
    }

    private string? Fault(bool gone)
    {
        if (!gone)
        {
            return "Processes of the sandbox are left.";
        }

        // Ansible's code also tells that hosts failed; without its count of them it did not get as far as that. A block that has met a
        // limit would meet it again.
        return _stopped || _stopCode is not null || _exceeded is not null
            || (_ended && (_exitCode == 0 || ((_exitCode & ~HostsFailed) == 0 && _failures.Count > 0))) ? null
            : $"The sandbox ended early. {_scrubber.Text(process.Diagnostics, OutputLimit)}";
    }

    private SandboxDeviceResult Conclude(DeviceProgress device, bool gone, string? fault) => device.Conclude(
        _failures.TryGetValue(device.Name, out var failed) ? failed : null,
        ended: _ended && !_stopped && gone,
        _stopCode ?? (fault is null ? null : DeviceCode.SandboxFailed));

    /// <summary>What went wrong after the programs inside met a limit is the limit's doing, where nothing else is known.</summary>
    private SandboxDeviceResult Blame(SandboxDeviceResult result) => _exceeded is not null && !_stopped
        && !result.Outcome.IsGood() && result.Code is null or DeviceCode.TaskFailed or DeviceCode.InternalError
            or DeviceCode.SandboxFailed or DeviceCode.SandboxLimit
        ? result with
        {
            Code = DeviceCode.SandboxLimit,
            Message = $"The block needs more than a sandbox has: {_exceeded}. {result.Message}".TrimEnd(),
        }
        : result;

    // A killed run must end even if the reader of its events is gone; the result holds every outcome anyway.
    private void Kill()
    {
        process.Kill();
        _ = Task.Delay(_readerPatience, clock, CancellationToken.None)
            .ContinueWith(_ => _abandoned.TrySetResult(), CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
    }

    private async Task Watch(CancellationToken over)
    {
        var started = clock.GetTimestamp();
        try
        {
            using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(200), clock);
            while (await tick.WaitForNextTickAsync(over))
            {
                var idle = clock.GetElapsedTime(Interlocked.Read(ref _lastEvent));
                var code = clock.GetElapsedTime(started) >= job.HardTimeout ? DeviceCode.HardTimeout
                    : !_waitingForReader && idle >= job.IdleTimeout && link.Quiet >= job.IdleTimeout ? DeviceCode.IdleTimeout
                    : null;
                if (code is not null)
                {
                    _stopCode = code;
                    Kill();
                    return;
                }
            }
        }
        catch (OperationCanceledException)
        {
            // It ended in time.
        }
    }

    private async Task Handle(byte[]? line)
    {
        Interlocked.Exchange(ref _lastEvent, clock.GetTimestamp());
        if (line is null)
        {
            await LoseLine("a line was too long");
            return;
        }

        try
        {
            await Dispatch(JsonSerializer.Deserialize<JsonElement>(line));
        }
        catch (Exception fault) when (fault is JsonException or InvalidOperationException or KeyNotFoundException or FormatException)
        {
            await LoseLine("a line was not understood");
        }
    }

    // It may have been about any device that is still under way.
    private async Task LoseLine(string why)
    {
        foreach (var device in _devices.Values.Where(device => !device.Done))
        {
            device.Lose($"Something that the block said was lost: {why}.");
        }

        await Emit("output", null, new JsonObject { ["text"] = $"[{why} and is left out]" });
    }

    private async Task Dispatch(JsonElement message)
    {
        var kind = message.GetProperty("event").GetString();
        if (kind == "stats")
        {
            foreach (var host in message.GetProperty("devices").EnumerateObject())
            {
                _failures[host.Name] = host.Value.GetProperty("failures").GetInt32() > 0
                    || host.Value.GetProperty("unreachable").GetInt32() > 0;
            }

            return;
        }

        if (kind == "end")
        {
            _ended = true;
            _exitCode = message.GetProperty("code").GetInt32();
            return;
        }

        if (!message.TryGetProperty("device", out var name) || !_devices.TryGetValue(name.GetString()!, out var device))
        {
            return;
        }

        switch (kind)
        {
            case "excluded":
                device.Exclude(message.GetProperty("code").GetString()!, message.GetProperty("text").GetString()!);
                await Announce(device, device.Conclude(true, ended: false, null));
                break;
            case "login":
                await Emit("login", device.Name, new JsonObject { ["pending"] = message.GetProperty("pending").GetBoolean() });
                break;
            case "start" when device.Start():
                await Emit("device_started", device.Name, []);
                break;
            case "task":
                await TaskDone(device, message);
                break;
            case "artifact":
                _waitingForReader = true;
                await device.Artifact(
                    message.GetProperty("name").GetString()!, message.GetProperty("first").GetBoolean(),
                    message.GetProperty("data").GetBytesFromBase64(), _abandoned.Task);
                _waitingForReader = false;
                break;
            case "text" when message.GetProperty("name").GetString() is "before" or "after":
                _waitingForReader = true;
                await device.Text(
                    message.GetProperty("name").GetString()!, message.GetProperty("first").GetBoolean(),
                    message.GetProperty("data").GetBytesFromBase64(), _abandoned.Task);
                _waitingForReader = false;
                break;
            case "lost":
                device.Lose($"Something that the block said was lost: {message.GetProperty("text").GetString()}");
                break;
            case "undo":
                device.Undo(message);
                break;
            case "over" when job is { Guard: not null, Check: false }:
                var end = device.Conclude(device.HasFailed ? true : null, ended: false, null);
                await Emit(kind, device.Name, new JsonObject { ["outcome"] = Wire.Name(end.Outcome), ["code"] = end.Code });
                break;
            case "unready":
                await Emit(kind, device.Name, []);
                break;
            case "keep":
                await Emit(kind, device.Name, [], text: device.Before);
                break;
            case "waits":
                await Emit(kind, device.Name, new JsonObject { ["hash"] = device.Hash("after") });
                break;
            case "planned" or "armed" or "confirmed" or "kept" or "reverted" or "looked":
                if (kind == "reverted")
                {
                    device.Revert();
                }

                await Emit(kind, device.Name, JsonNode.Parse(message.GetRawText())!.AsObject());
                break;
            case "result":
                device.Result(message.GetProperty("result"), message.GetProperty("artifacts"));
                await Announce(device, device.Conclude(null, ended: false, null));
                break;
        }
    }

    private async Task TaskDone(DeviceProgress device, JsonElement message)
    {
        var status = message.GetProperty("status").GetString()!;
        var changed = message.GetProperty("changed").GetBoolean();
        var text = message.GetProperty("text").GetString()!;
        var task = message.GetProperty("task").GetString()!;
        var ignored = message.TryGetProperty("ignored", out var flag) && flag.GetBoolean();
        device.Task(status, changed, text, message.GetProperty("diff").GetString()!, ignored, message.GetProperty("code").GetString());
        if (status != "skipped")
        {
            await Emit(
                "task", device.Name, new JsonObject { ["task"] = _scrubber.Text(task, 200), ["status"] = status, ["changed"] = changed });
        }

        if (text.Length > 0)
        {
            await Emit("output", device.Name, new JsonObject { ["text"] = _scrubber.Text(text, OutputLimit) });
        }
    }

    private async Task Announce(DeviceProgress device, SandboxDeviceResult result)
    {
        if (device.Announced != result.Outcome)
        {
            device.Announced = result.Outcome;
            _room.Wait(Size(result));
            if (await Emit("device_outcome", device.Name, [], result))
            {
                device.Forget();
            }
        }
    }

    private static long Size(SandboxDeviceResult? outcome) =>
        outcome?.Artifacts.Concat(outcome.Texts).Sum(file => (long)file.Content.Length) ?? 0;

    /// <summary>False where the reader is gone.</summary>
    private async Task<bool> Emit(string type, string? device, JsonObject data, SandboxDeviceResult? outcome = null, byte[]? text = null)
    {
        _waitingForReader = true;
        var written =
            _events.Writer.WriteAsync(
                new SandboxEvent(clock.GetUtcNow(), type, device, data.ToJsonString(), outcome, text), CancellationToken.None).AsTask();
        await Task.WhenAny(written, _abandoned.Task);
        _waitingForReader = false;
        Interlocked.Exchange(ref _lastEvent, clock.GetTimestamp());
        return written.IsCompletedSuccessfully;
    }
}
