using System.Text.Json;
using NetAutomation.Catalog;
using NetAutomation.Execution.Sandbox;
using NetAutomation.History;
using NetAutomation.Inventory;
using NetAutomation.Runs;
using NetAutomation.Web;

namespace NetAutomation.Execution;

/// <summary>Sees an event of a sandbox before the run does; true where it has dealt with it.</summary>
internal delegate Task<bool> FirstReader(SandboxRun sandbox, SandboxEvent told);

/// <summary>Carries out a job on some devices of the run.</summary>
internal delegate Task<SandboxResult> Play(SandboxJob job, IReadOnlyList<DeviceLogin> devices, FirstReader first);

/// <summary>Why the devices that are left are not started: a code; null where they are.</summary>
internal delegate Task<string?> NotStarted(TimeSpan left, int failures, bool first);

/// <summary>
/// The work on a run with a guard: wave by wave, each confirmed as a whole or not at all. What was cut off is looked at until it is known
/// whether it stays, has gone back, or neither.
/// </summary>
/// <param name="checks">Read blocks that must end well on a device before its change is confirmed.</param>
internal sealed class GuardedWaves(
    ClaimedRun run, RunGuard guard, SandboxJob job, IReadOnlyList<DeviceLogin> devices,
    IReadOnlyList<(BlockVersion Block, JsonElement Input)> checks, RunWatch watch, RunRecorder recorder, Journals journals,
    TimeProvider clock, Play play, NotStarted notStarted, Func<SandboxDeviceResult, DeviceLogin, IReadOnlySet<string>, DeviceReport> report)
{
    private static readonly HashSet<string> _none = [];

    // A device may still be going back when its time is over: some count whole minutes, and then have to type.
    private static readonly TimeSpan _slack = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan _between = TimeSpan.FromSeconds(3);

    // How long a device that cannot be reached is asked again, once it should have gone back.
    private static readonly TimeSpan _patience = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan _longestLook = TimeSpan.FromMinutes(3);
    private int _number;
    private int _failures = run.Failures;

    public static GuardKind? KindOf(string data) =>
        JsonElement.Parse(data).TryGetProperty("kind", out var kind) && Wire.TryValue<GuardKind>(kind.GetString() ?? "", out var known)
            ? known : null;

    public async Task<WorkEnd> Work()
    {
        var started = clock.GetTimestamp();
        var places = run.Devices.ToDictionary(device => device.Id);
        var left = devices.Where(device => places[device.DeviceId].Kept is not null).ToList();
        await LookAfter([.. left.Select(device => Cut.Of(device, places[device.DeviceId], clock.GetUtcNow()))]);
        var first = run.Attempt == 1;
        foreach (var wave in devices.Except(left).GroupBy(device => guard.Waves.First(end => places[device.DeviceId].Position <= end)))
        {
            if (watch.Lost || (watch.Stopped && run.MayGoOn))
            {
                return new WorkEnd(HandBack: true);
            }

            var time = run.Timeout - clock.GetElapsedTime(started);
            if (await Reason(time, first) is { } reason)
            {
                return new WorkEnd(reason);
            }

            first = false;
            await Wave([.. wave], time);
        }

        // What a worker that leaves has not looked at to the end is for another one.
        return new WorkEnd(HandBack: watch.Lost || (watch.Stopped && run.MayGoOn));
    }

    private async Task<string?> Reason(TimeSpan left, bool first) =>
        run.Cancelled ? DeviceCode.Cancelled
        : left < TimeSpan.FromSeconds(guard.ConfirmSeconds) ? DeviceCode.HardTimeout
        : await notStarted(left, _failures, first);

    private string Id(string kind) => $"{run.Id}-{run.Attempt}-{++_number}{kind}";

    private async Task Wave(IReadOnlyList<DeviceLogin> wave, TimeSpan left)
    {
        var under = new Under(wave);
        var result = await play(
            job with { Id = Id(""), HardTimeout = left }, wave, (sandbox, told) => Follow(under, sandbox, told));
        await under.Deciding;
        var (cut, byName) = (new List<Cut>(), wave.ToDictionary(device => device.DeviceId.ToString(), StringComparer.Ordinal));
        foreach (var device in result.Devices)
        {
            var login = byName[device.Name];
            if (device.Open && under.Kept.TryGetValue(device.Name, out var kept))
            {
                cut.Add(kept with { Result = device });
                continue;
            }

            _failures += device.Outcome.IsGood() ? 0 : 1;
            await recorder.Report(Explained(under, device, report(device, login, _none)));
        }

        await LookAfter(cut);
    }

    /// <summary>Answers what the devices of a wave ask.</summary>
    private async Task<bool> Follow(Under under, SandboxRun sandbox, SandboxEvent told)
    {
        var (time, type, name, data, outcome, text) = told;
        switch (type)
        {
            case "planned":
                under.Planned[name!] = KindOf(data);
                return false;
            case "keep":
                await Keep(under, sandbox, time, name!, text);
                return true;
            case "waits":
                var (device, wanted) = (under.Kept[name!], TextHash.Of(text ?? []));
                under.Kept[name!] = device with { Wanted = wanted };
                if (await journals.RetryUntilAvailable(
                    journal => journal.Want(run, device.Login.DeviceId, wanted, CancellationToken.None)))
                {
                    under.Waiting.Add(name!);
                    Consider(under, sandbox);
                }

                return true;
            case "armed":
                var seconds = JsonElement.Parse(data).GetProperty("seconds").GetInt32();
                under.Kept[name!] = under.Kept[name!] with { Kind = KindOf(data), RevertsAt = time.AddSeconds(seconds) };
                await Tell(time, under.Kept[name!], type, JsonElement.Parse(data).GetProperty("by").GetString());
                return true;
            case "confirmed" or "reverted":
                if (under.Kept.TryGetValue(name!, out var over))
                {
                    await Tell(time, over, type);
                }

                return true;
            case "over":
                under.Ended.TryAdd(name!, false);
                Consider(under, sandbox);
                return true;
            case "device_outcome":
                under.Ended[name!] = outcome!.Outcome.IsGood();
                Consider(under, sandbox);
                // A code of ours may say more than that of the engine; and what is open has no outcome yet.
                return !outcome.Outcome.IsGood();
            default:
                return false;
        }
    }

    /// <summary>A change begins once the configuration before is kept.</summary>
    private async Task Keep(Under under, SandboxRun sandbox, DateTimeOffset time, string name, byte[]? text)
    {
        var login = under.Logins[name];
        if (text is null)
        {
            under.Unkept.Add(name);
            await sandbox.Tell(Verdict.Back, name);
            return;
        }

        // Whatever is armed: a platform may count whole minutes.
        var (hash, latest) = (TextHash.Of(text), clock.GetUtcNow().AddSeconds(guard.ConfirmSeconds + 120));
        var seen = new SeenTexts(time, login.DeviceId, new DeviceTexts(login.Platform, text, null));
        var kind = under.Planned.GetValueOrDefault(name);
        if (await journals.RetryUntilAvailable(journal => journal.Keep(run, seen, hash, kind, latest, CancellationToken.None)))
        {
            under.Kept[name] = new Cut(login, hash, null, false, kind, latest);
            await sandbox.Tell(Verdict.Go, name);
        }
    }

    private void Consider(Under under, SandboxRun sandbox)
    {
        if (under.Waiting.Count > 0 && under.Logins.Keys.All(name => under.Waiting.Contains(name) || under.Ended.ContainsKey(name))
            && !under.Decided)
        {
            under.Decided = true;
            under.Deciding = Task.Run(() => Decide(under, sandbox, [.. under.Waiting]));
        }
    }

    /// <summary>The wave stays, but for the devices that failed; with too many of them, none of it stays.</summary>
    private async Task Decide(Under under, SandboxRun sandbox, IReadOnlyList<string> waiting)
    {
        foreach (var (block, input) in checks)
        {
            await Check(under, block, input, [.. waiting.Except(under.Refused.Keys)]);
        }

        var good = waiting.Except(under.Refused.Keys).ToList();
        if (_failures + under.Ended.Values.Count(ended => !ended) + under.Refused.Count > guard.MaxFailures)
        {
            good = [];
        }

        if (good.Count > 0 && !await journals.RetryUntilAvailable(
            journal => journal.Confirm(run, [.. good.Select(name => under.Logins[name].DeviceId)], CancellationToken.None)))
        {
            return;
        }

        foreach (var name in waiting)
        {
            var stays = good.Contains(name);
            under.Kept[name] = under.Kept[name] with { Confirms = stays };
            await sandbox.Tell(stays ? Verdict.Confirm : Verdict.Back, name);
        }
    }

    /// <summary>A read block on devices that wait.</summary>
    private async Task Check(Under under, BlockVersion block, JsonElement input, IReadOnlyList<string> names)
    {
        if (names.Count == 0)
        {
            return;
        }

        var reads = job with
        {
            Id = Id("c"),
            BlockDirectory = block.Directory,
            Input = input,
            Secrets = [],
            Login = null,
            Guard = null,
            Restored = null,
            HardTimeout = RunGuard.BlockLimit,
        };
        var result = await play(
            reads, [.. names.Select(name => under.Logins[name])], (_, told) => Task.FromResult(told.Type is not ("task" or "output")));
        foreach (var device in result.Devices.Where(device => !device.Outcome.IsGood() || !Passed(device.Result)))
        {
            under.Refused[device.Name] = $"{block.Slug} failed after the change, so it was taken back. {device.Message}".TrimEnd();
        }
    }

    /// <summary>A block may say in its result that what it looked for does not hold.</summary>
    private static bool Passed(JsonElement? result) =>
        result is not { ValueKind: JsonValueKind.Object } said || !said.TryGetProperty("passed", out var passed)
        || passed.ValueKind != JsonValueKind.False;

    private DeviceReport Explained(Under under, SandboxDeviceResult device, DeviceReport told) =>
        under.Refused.TryGetValue(device.Name, out var why) ? told with { Code = DeviceCode.GuardCheckFailed, Message = why }
        : under.Unkept.Contains(device.Name) ? told with
        {
            Code = DeviceCode.GuardUnsupported,
            Message = "The configuration is too large to be kept, so nothing was changed.",
        }
        : watch.Cancelled && device.Code is DeviceCode.NotConfirmed or null && !device.Outcome.IsGood()
            ? told with { Code = DeviceCode.Cancelled, Message = "The run was cancelled before the change was confirmed." }
        : device.Code == DeviceCode.NotConfirmed && under.Decided
            ? told with { Message = "Another device of its wave failed, so the whole wave was taken back." }
        : told.Code is null && !told.Outcome.IsGood() && watch.Stopped ? told with { Code = DeviceCode.WorkerStopped }
        : told;

    private Task Tell(DateTimeOffset time, Cut device, string step, string? by = null) => recorder.Add(RunEvent.Of(
        time, new GuardStep(
            device.Login.DeviceId, step, device.Kind, by,
            step is "confirmed" or "reverted" || device.Kind == GuardKind.Soft ? null : device.RevertsAt)));

    /// <summary>Finds out what became of changes that were cut off, and puts back what does not go back by itself.</summary>
    private async Task LookAfter(IReadOnlyList<Cut> cut)
    {
        foreach (var device in cut)
        {
            await Tell(clock.GetUtcNow(), device, GuardStep.Reverting);
        }

        var left = cut.ToList();
        while (left.Count > 0 && !watch.Lost && !watch.Stopped)
        {
            left = await Look(left);
            var next = left.Select(device => device.Next).DefaultIfEmpty(clock.GetUtcNow()).Min();
            while (left.Count > 0 && clock.GetUtcNow() < next && !watch.Lost && !watch.Stopped)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(200), clock);
            }
        }
    }

    /// <summary>Returns the devices of which nothing is known yet, with the time of their next look.</summary>
    private async Task<List<Cut>> Look(List<Cut> all)
    {
        var due = all.FindAll(device => device.Next <= clock.GetUtcNow());
        var seen = due.ToDictionary(device => device.Login.DeviceId.ToString(), _ => new Seen(), StringComparer.Ordinal);
        var asked = new List<SandboxDevice>();
        foreach (var device in due)
        {
            var text = device.IsSoft && !device.Confirms
                ? await journals.RetryUntilAvailable<RunJournal, byte[]?>(
                    journal => journal.Before(run, device.Login.DeviceId, CancellationToken.None)) : null;
            asked.Add(SandboxDevice.Of(device.Login) with
            {
                Look = new SandboxLook(
                    TextHash.Digits(device.Before), device.Wanted is { } wanted ? TextHash.Digits(wanted) : null, text),
            });
        }

        var looks = job with { Id = Id("l"), HardTimeout = _longestLook, Guard = null, Devices = asked };
        var result = await play(looks, [.. due.Select(device => device.Login)], (_, told) => Task.FromResult(Saw(seen, told)));
        var (now, open) = (clock.GetUtcNow(), all.Except(due).ToList());
        foreach (var device in due)
        {
            var name = $"{device.Login.DeviceId}";
            var (found, told) = (seen[name], result.Devices.First(each => each.Name == name));
            if (Concluded(device, found, now) is { } outcome)
            {
                await End(device, outcome, told);
            }
            else if (now > device.Latest + _patience)
            {
                await End(device, DeviceOutcome.Unknown, told);
            }
            else
            {
                // What has not gone back yet does so by its time; a device that does not answer may do so at any.
                var waits = found.Armed && device.RevertsAt + _slack is var over && over > now;
                open.Add(device with
                {
                    Next = waits ? device.RevertsAt + _slack : now + _between,
                    Confirms = device.Confirms && (found.State is null or "as_wanted"),
                });
            }
        }

        return open;
    }

    private static bool Saw(Dictionary<string, Seen> seen, SandboxEvent told)
    {
        if (told.Type == "looked")
        {
            var data = JsonElement.Parse(told.Data);
            seen[told.Device!] = new Seen(
                data.GetProperty("state").GetString(), data.GetProperty("armed").ValueKind == JsonValueKind.String);
        }
        else if (told.Type == "reverted")
        {
            seen[told.Device!] = new Seen("as_before");
        }

        return told.Type is not ("task" or "output");
    }

    /// <summary>Null where it is not known yet.</summary>
    private static DeviceOutcome? Concluded(Cut device, Seen found, DateTimeOffset now) => found switch
    {
        { State: null } or { Armed: true } => null,
        { State: "as_before" } => DeviceOutcome.Reverted,
        { State: "as_wanted" } when !device.IsSoft || device.Confirms => DeviceOutcome.Changed,
        // It may be in the middle of going back.
        _ => device.IsSoft || now < device.Latest ? null : DeviceOutcome.Unknown,
    };

    private async Task End(Cut device, DeviceOutcome outcome, SandboxDeviceResult look)
    {
        var was = device.Result;
        _failures += outcome.IsGood() ? 0 : 1;
        if (outcome == DeviceOutcome.Reverted)
        {
            await Tell(clock.GetUtcNow(), device, "reverted");
        }

        var (code, message) = outcome switch
        {
            DeviceOutcome.Changed => (DeviceCode.Verified, "The work was cut off; the device was found as wanted, and keeps it."),
            DeviceOutcome.Reverted =>
                (was?.Code ?? DeviceCode.WorkerLost, was?.Message ?? "The work was cut off, and the change went back."),
            _ => (DeviceCode.NotVerified, $"The work was cut off, and what the device has is not known. {look.Message}".TrimEnd()),
        };
        await recorder.Report(new DeviceReport(
            device.Login.DeviceId, outcome, outcome switch { DeviceOutcome.Changed => true, DeviceOutcome.Reverted => false, _ => null },
            true, code, message, was?.Result?.GetRawText(), was is { Diff.Length: > 0 } ? was.Diff : null, device.Before,
            outcome switch
            {
                DeviceOutcome.Changed => device.Wanted,
                DeviceOutcome.Reverted => device.Before,
                _ => null,
            },
            [])
        {
            Texts = outcome == DeviceOutcome.Changed && was?.Texts.FirstOrDefault(text => text.Name == "after") is { } after
                ? new DeviceTexts(device.Login.Platform, null, after.Content) : null,
        });
    }

    /// <summary>What a look has found.</summary>
    /// <param name="State">as_before, as_wanted or other; null where the device could not be looked at.</param>
    private sealed record Seen(string? State = null, bool Armed = false);

    /// <summary>A device whose change may have begun.</summary>
    /// <param name="Before">Hash of the configuration that it goes back to.</param>
    /// <param name="Wanted">Hash of what was to be confirmed.</param>
    /// <param name="Confirms">It was decided that the change stays.</param>
    /// <param name="Kind">What takes it back; null where nobody knows.</param>
    /// <param name="RevertsAt">When it has gone back by itself at the latest.</param>
    private sealed record Cut(
        DeviceLogin Login, string Before, string? Wanted, bool Confirms, GuardKind? Kind, DateTimeOffset RevertsAt)
    {
        /// <summary>What was known of it when it was cut off.</summary>
        public SandboxDeviceResult? Result { get; init; }

        /// <summary>When it is looked at.</summary>
        public DateTimeOffset Next { get; init; }

        public bool IsSoft => Kind == GuardKind.Soft;

        /// <summary>From then on nothing changes by itself.</summary>
        public DateTimeOffset Latest => RevertsAt + _slack;

        public static Cut Of(DeviceLogin login, ClaimedDevice device, DateTimeOffset now) => new(
            login, device.Kept!, device.Wanted, device.Confirms, device.Guard, device.RevertsAt ?? now);
    }

    /// <summary>A wave under way.</summary>
    private sealed class Under(IReadOnlyList<DeviceLogin> wave)
    {
        public Dictionary<string, DeviceLogin> Logins { get; } =
            wave.ToDictionary(device => device.DeviceId.ToString(), StringComparer.Ordinal);

        /// <summary>Devices whose change may have begun.</summary>
        public System.Collections.Concurrent.ConcurrentDictionary<string, Cut> Kept { get; } = new(StringComparer.Ordinal);

        /// <summary>What will take the change of a device back.</summary>
        public Dictionary<string, GuardKind?> Planned { get; } = new(StringComparer.Ordinal);

        /// <summary>Devices whose configuration before could not be kept.</summary>
        public HashSet<string> Unkept { get; } = new(StringComparer.Ordinal);

        /// <summary>Devices that wait for their confirmation.</summary>
        public HashSet<string> Waiting { get; } = new(StringComparer.Ordinal);

        /// <summary>Devices with an outcome, and whether that is good.</summary>
        public Dictionary<string, bool> Ended { get; } = new(StringComparer.Ordinal);

        /// <summary>Devices on which a read block failed, and why.</summary>
        public System.Collections.Concurrent.ConcurrentDictionary<string, string> Refused { get; } = new(StringComparer.Ordinal);

        public Task Deciding { get; set; } = Task.CompletedTask;

        public bool Decided { get; set; }
    }
}
