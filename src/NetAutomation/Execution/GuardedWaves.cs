using System.Collections.Concurrent;
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
    // So many failed devices are named where a wave goes back, and so much is quoted of what a read block found.
    private const int Named = 10;
    private const int Quoted = 1000;
    private static readonly HashSet<string> _none = [];
    private readonly GuardLooks _looks = new(run, job, watch, recorder, journals, clock, play);
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
        _failures += await _looks.After([.. left.Select(device => CutChange.Of(device, places[device.DeviceId], clock.GetUtcNow()))]);
        var first = run.Attempt == 1;
        foreach (var wave in devices.Except(left).GroupBy(device => guard.Waves.Index().First(
            wave => places[device.DeviceId].Position <= wave.Item).Index))
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
            await Play(new Wave(wave.Key + 1, [.. wave]), time);
        }

        // What a worker that leaves has not looked at to the end is for another one.
        return new WorkEnd(HandBack: watch.Lost || (watch.Stopped && run.MayGoOn));
    }

    private async Task<string?> Reason(TimeSpan left, bool first) =>
        run.Cancelled ? DeviceCode.Cancelled
        : left < TimeSpan.FromSeconds(guard.ConfirmSeconds) ? DeviceCode.HardTimeout
        : await notStarted(left, _failures, first);

    private string Id(string kind) => $"{run.Id}-{run.Attempt}-{++_number}{kind}";

    private async Task Play(Wave wave, TimeSpan left)
    {
        var result = await play(
            job with { Id = Id(""), HardTimeout = left }, [.. wave.Logins.Values], (sandbox, told) => Follow(wave, sandbox, told));
        await wave.Deciding;
        var cut = new List<CutChange>();
        foreach (var device in result.Devices)
        {
            if (device.Open && wave.Kept.TryGetValue(device.Name, out var kept))
            {
                cut.Add(kept with { Result = device });
                continue;
            }

            var end = Explained(wave, device, report(device, wave.Logins[device.Name], _none));
            _failures += end.Outcome.IsFailure() ? 1 : 0;
            await recorder.Report(end);
        }

        _failures += await _looks.After(cut);
    }

    /// <summary>Answers what the devices of a wave ask.</summary>
    private async Task<bool> Follow(Wave wave, SandboxRun sandbox, SandboxEvent told)
    {
        var (time, type, name, data, outcome, text) = told;
        switch (type)
        {
            case "planned":
                wave.Planned[name!] = KindOf(data);
                return false;
            case "keep":
                await Keep(wave, sandbox, time, name!, text);
                return true;
            case "waits":
                var (device, wanted) = (wave.Kept[name!], JsonElement.Parse(data).GetProperty("hash").GetString()!);
                wave.Kept[name!] = device with { Wanted = wanted };
                if (device.Wanted == wanted || await journals.RetryUntilAvailable(
                    journal => journal.Want(run, device.Login.DeviceId, wanted, CancellationToken.None)))
                {
                    Consider(wave, sandbox, () => wave.Waiting.Add(name!));
                }

                return true;
            case "unready":
                Consider(wave, sandbox, () => wave.Waiting.Remove(name!));
                return true;
            case "armed":
                var seconds = JsonElement.Parse(data).GetProperty("seconds").GetInt32();
                wave.Kept[name!] = wave.Kept[name!] with { Kind = KindOf(data), RevertsAt = time.AddSeconds(seconds) };
                await _looks.Tell(time, wave.Kept[name!], type, JsonElement.Parse(data).GetProperty("by").GetString());
                return true;
            case "confirmed" or "reverted":
                if (wave.Kept.TryGetValue(name!, out var over))
                {
                    await _looks.Tell(time, over, type);
                }

                return true;
            case "over":
                var end = JsonElement.Parse(data);
                await Ended(wave, sandbox, name!, Wire.Value<DeviceOutcome>(end.GetProperty("outcome").GetString()!),
                    end.GetProperty("code").GetString());
                return true;
            case "device_outcome":
                await Ended(wave, sandbox, name!, outcome!.Outcome, outcome.Code);
                // A code of ours may say more than that of the engine; and what is open has no outcome yet.
                return !outcome.Outcome.IsGood();
            default:
                return false;
        }
    }

    /// <summary>A change begins once the configuration before is kept.</summary>
    private async Task Keep(Wave wave, SandboxRun sandbox, DateTimeOffset time, string name, byte[]? text)
    {
        var login = wave.Logins[name];
        if (text is null)
        {
            wave.Unkept.Add(name);
            await sandbox.Tell(Verdict.Back, name);
            return;
        }

        var (hash, seen) = (TextHash.Of(text), new SeenTexts(time, login.DeviceId, new DeviceTexts(login.Platform, text, null)));
        if (await journals.RetryUntilAvailable(
            journal => journal.Keep(run, seen, hash, wave.Planned.GetValueOrDefault(name), CancellationToken.None)))
        {
            wave.Ready[name] = hash;
            await Begin(wave, sandbox);
        }
    }

    private async Task Ended(Wave wave, SandboxRun sandbox, string name, DeviceOutcome outcome, string? code)
    {
        Consider(wave, sandbox, () => wave.Ended[name] = outcome.IsFailure() ? code ?? Wire.Name(outcome) : null);
        await Begin(wave, sandbox);
    }

    /// <summary>
    /// The devices of a wave begin together, once all of them are read: what cannot be changed is known before anything is typed.
    /// </summary>
    private async Task Begin(Wave wave, SandboxRun sandbox)
    {
        if (wave.Begun || wave.Ready.Count == 0
            || !wave.Logins.Keys.All(name => wave.Ready.ContainsKey(name) || wave.Ended.ContainsKey(name)))
        {
            return;
        }

        wave.Begun = true;
        if (TooMany(wave))
        {
            wave.HeldBack = wave.Why();
            foreach (var name in wave.Ready.Keys)
            {
                await sandbox.Tell(Verdict.Back, name);
            }

            return;
        }

        // Whatever is armed: a platform may count whole minutes.
        var latest = clock.GetUtcNow().AddSeconds(guard.ConfirmSeconds + 120);
        if (await journals.RetryUntilAvailable(journal => journal.Begin(
            run, [.. wave.Ready.Keys.Select(name => wave.Logins[name].DeviceId)], latest, CancellationToken.None)))
        {
            foreach (var (name, hash) in wave.Ready)
            {
                wave.Kept[name] = new CutChange(
                    wave.Logins[name], hash, null, false, wave.Planned.GetValueOrDefault(name), latest);
                await sandbox.Tell(Verdict.Go, name);
            }
        }
    }

    private bool TooMany(Wave wave) =>
        _failures + wave.Failed.Count() > guard.MaxFailures;

    private void Consider(Wave wave, SandboxRun sandbox, Action seen)
    {
        lock (wave.Gate)
        {
            seen();
            if (!wave.Decided && wave.Waiting.Count > 0 && wave.AllThere)
            {
                wave.Decided = true;
                wave.Deciding = Task.Run(() => Decide(wave, sandbox));
            }
        }
    }

    /// <summary>The wave stays, but for the devices that failed; with too many of them, none of it stays.</summary>
    private async Task Decide(Wave wave, SandboxRun sandbox)
    {
        foreach (var (block, input) in checks)
        {
            await Check(wave, block, input);
        }

        string[] waiting;
        HashSet<string> good;
        lock (wave.Gate)
        {
            if (!wave.AllThere)
            {
                // One has lost something meanwhile, and says so when it has it again.
                wave.Decided = false;
                return;
            }

            waiting = [.. wave.Waiting.Where(name => !wave.Ended.ContainsKey(name))];
            good = TooMany(wave) ? [] : [.. waiting.Except(wave.Refused.Keys)];
            wave.TakenBack = TooMany(wave) ? wave.Why() : null;
        }

        if (good.Count > 0 && !await journals.RetryUntilAvailable(
            journal => journal.Confirm(run, [.. good.Select(name => wave.Logins[name].DeviceId)], CancellationToken.None)))
        {
            return;
        }

        await recorder.Add(new RunEvent(clock.GetUtcNow(), "wave", null, Told(wave, good.Count)));
        foreach (var name in waiting)
        {
            var stays = good.Contains(name);
            wave.Kept[name] = wave.Kept[name] with { Confirms = stays };
            await sandbox.Tell(stays ? Verdict.Confirm : Verdict.Back, name);
        }
    }

    private static string Told(Wave wave, int good) => JsonSerializer.Serialize(
        new
        {
            wave = wave.Number,
            decision = good > 0 ? "confirmed" : "reverted",
            devices = good,
            failed = wave.Failed.Take(Named).Select(each => new { each.Name, each.Code, each.Message }),
        },
        Json.Api);

    /// <summary>A read block on devices that wait.</summary>
    private async Task Check(Wave wave, BlockVersion block, JsonElement input)
    {
        string[] names;
        lock (wave.Gate)
        {
            names = [.. wave.Waiting.Where(name => !wave.Refused.ContainsKey(name) && !wave.Ended.ContainsKey(name))];
        }

        if (names.Length == 0)
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
            reads, [.. names.Select(name => wave.Logins[name])], (_, told) => Task.FromResult(told.Type is not ("task" or "output")));
        foreach (var device in result.Devices.Where(device => !device.Outcome.IsGood() || !Passed(device.Result)))
        {
            var found = device.Outcome.IsGood() ? $"It found {device.Result!.Value.GetRawText()}" : device.Message;
            wave.Refused[device.Name] = $"{block.Slug} failed after the change, so it was taken back. "
                + (found is { Length: > Quoted } ? found[..Quoted] + "…" : found);
        }
    }

    /// <summary>A block may say in its result that what it looked for does not hold.</summary>
    private static bool Passed(JsonElement? result) =>
        result is not { ValueKind: JsonValueKind.Object } said || !said.TryGetProperty("passed", out var passed)
        || passed.ValueKind != JsonValueKind.False;

    private DeviceReport Explained(Wave wave, SandboxDeviceResult device, DeviceReport told) =>
        wave.Refused.TryGetValue(device.Name, out var why) ? told with { Code = DeviceCode.GuardCheckFailed, Message = why.TrimEnd() }
        : wave.Unkept.Contains(device.Name) ? told with
        {
            Code = DeviceCode.GuardUnsupported,
            Message = "The configuration is too large to be kept, so nothing was changed.",
        }
        : watch.Cancelled && device.Code is DeviceCode.NotConfirmed or null && !device.Outcome.IsGood()
            ? told with { Code = DeviceCode.Cancelled, Message = "The run was cancelled before the change was confirmed." }
        : wave.HeldBack is { } cause && wave.Ready.ContainsKey(device.Name) ? told with
        {
            Outcome = DeviceOutcome.NotStarted,
            Changed = false,
            Code = DeviceCode.MaxFailures,
            Message = $"{cause} Nothing of its wave was changed.",
        }
        : device.Code == DeviceCode.NotConfirmed ? told with
        {
            Message = wave.TakenBack is { } reason ? $"{reason} The whole wave was taken back."
                : "Its time was over before all devices of its wave were ready. A longer confirmSeconds may help.",
        }
        : told.Code is null && !told.Outcome.IsGood() && watch.Stopped ? told with { Code = DeviceCode.WorkerStopped }
        : told;

    /// <summary>A wave under way. Its devices are known by their alias.</summary>
    private sealed class Wave(int number, IReadOnlyList<DeviceLogin> wave)
    {
        /// <summary>From 1 on.</summary>
        public int Number => number;

        public Dictionary<string, DeviceLogin> Logins { get; } =
            wave.ToDictionary(device => device.DeviceId.ToString(), StringComparer.Ordinal);

        /// <summary>Held for what decides about the wave: who waits and who has ended.</summary>
        public Lock Gate { get; } = new();

        /// <summary>What will take the change of a device back.</summary>
        public Dictionary<string, GuardKind?> Planned { get; } = new(StringComparer.Ordinal);

        /// <summary>Devices that can be changed: the hash of the configuration before, which is kept.</summary>
        public Dictionary<string, string> Ready { get; } = new(StringComparer.Ordinal);

        /// <summary>Devices whose configuration before could not be kept.</summary>
        public HashSet<string> Unkept { get; } = new(StringComparer.Ordinal);

        /// <summary>Devices whose change may have begun.</summary>
        public ConcurrentDictionary<string, CutChange> Kept { get; } = new(StringComparer.Ordinal);

        /// <summary>Devices that are changed, have lost nothing, and wait for their confirmation.</summary>
        public HashSet<string> Waiting { get; } = new(StringComparer.Ordinal);

        /// <summary>Devices with an outcome, and its code where that is a failure.</summary>
        public ConcurrentDictionary<string, string?> Ended { get; } = new(StringComparer.Ordinal);

        /// <summary>Devices on which a read block failed, and why.</summary>
        public ConcurrentDictionary<string, string> Refused { get; } = new(StringComparer.Ordinal);

        public Task Deciding { get; set; } = Task.CompletedTask;

        public bool Begun { get; set; }

        public bool Decided { get; set; }

        /// <summary>Why nothing was typed into its devices; null where something was.</summary>
        public string? HeldBack { get; set; }

        /// <summary>Why none of it was confirmed; null where some was, or nothing was decided.</summary>
        public string? TakenBack { get; set; }

        /// <summary>Nobody is waited for.</summary>
        public bool AllThere => Logins.Keys.All(name => Waiting.Contains(name) || Ended.ContainsKey(name));

        public IEnumerable<(string Name, string Code, string? Message)> Failed =>
            Ended.Where(each => each.Value is not null).Select(each => (Logins[each.Key].Name, each.Value!, (string?)null))
                .Concat(Refused.Select(each => (Logins[each.Key].Name, DeviceCode.GuardCheckFailed, (string?)each.Value)))
                .DistinctBy(each => each.Name);

        /// <summary>Which device has failed so far, in words.</summary>
        public string Why() => Failed.FirstOrDefault() is (var name, var code, _) && name is not null
            ? $"{name} failed ({code})." : "Too many devices failed in earlier waves.";
    }
}
