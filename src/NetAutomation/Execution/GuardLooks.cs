using System.Text.Json;
using NetAutomation.Execution.Sandbox;
using NetAutomation.History;
using NetAutomation.Inventory;
using NetAutomation.Runs;

namespace NetAutomation.Execution;

/// <summary>
/// Finds out what became of changes that were cut off: what it was decided to keep is confirmed and saved, and all else goes back.
/// </summary>
internal sealed class GuardLooks(
    ClaimedRun run, SandboxJob job, RunWatch watch, RunRecorder recorder, Journals journals, TimeProvider clock, Play play)
{
    private const int MostSaves = 3;
    private static readonly TimeSpan _between = TimeSpan.FromSeconds(3);

    // A password that was refused is not sent again and again: an account may be locked for that.
    private static readonly TimeSpan _afterRefusal = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan _longestAfterRefusal = TimeSpan.FromMinutes(5);

    // How long a device that cannot be reached is asked again, once it should have gone back. Some take a quarter of an hour to start.
    private static readonly TimeSpan _patience = TimeSpan.FromMinutes(20);
    private int _number;

    /// <summary>Answers how many of them failed.</summary>
    public async Task<int> After(IReadOnlyList<CutChange> cut)
    {
        foreach (var device in cut)
        {
            await Tell(clock.GetUtcNow(), device, GuardStep.Reverting);
        }

        var (left, failures, since) = (cut.ToList(), 0, clock.GetUtcNow());
        while (left.Count > 0 && !watch.Lost && !watch.Stopped)
        {
            (left, var failed) = await Look(left, since);
            failures += failed;
            var next = left.Select(device => device.Next).DefaultIfEmpty(clock.GetUtcNow()).Min();
            while (left.Count > 0 && clock.GetUtcNow() < next && !watch.Lost && !watch.Stopped)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(200), clock);
            }
        }

        return failures;
    }

    public Task Tell(DateTimeOffset time, CutChange device, string step, string? by = null) => recorder.Add(RunEvent.Of(
        time, new GuardStep(
            device.Login.DeviceId, step, device.Kind, by,
            step is "confirmed" or "reverted" || device.Kind == GuardKind.Soft ? null : device.RevertsAt)));

    /// <summary>Returns the devices of which nothing is known yet, with the time of their next look, and how many failed.</summary>
    private async Task<(List<CutChange> Left, int Failures)> Look(List<CutChange> all, DateTimeOffset since)
    {
        var began = clock.GetUtcNow();
        var due = all.FindAll(device => device.Next <= began);
        var seen = due.ToDictionary(device => device.Login.DeviceId.ToString(), _ => new Seen(), StringComparer.Ordinal);
        var asked = new List<SandboxDevice>();
        foreach (var device in due)
        {
            var text = device.Confirms ? null : await journals.RetryUntilAvailable<RunJournal, byte[]?>(
                journal => journal.Before(run, device.Login.DeviceId, CancellationToken.None));
            asked.Add(SandboxDevice.Of(device.Login) with
            {
                Look = new SandboxLook(
                    TextHash.Digits(device.Before), device.Wanted is { } wanted ? TextHash.Digits(wanted) : null, device.Confirms,
                    began < device.Latest, device.IsSoft || device.Stuck, text),
            });
        }

        var looks = job with
        {
            Id = $"{run.Id}-{run.Attempt}-{++_number}l",
            HardTimeout = Longest(due),
            Guard = null,
            Devices = asked,
        };
        var result = await play(looks, [.. due.Select(device => device.Login)], (_, told) => Task.FromResult(Saw(seen, told)));
        var (now, open, failures) = (clock.GetUtcNow(), all.Except(due).ToList(), 0);
        foreach (var device in due)
        {
            var name = $"{device.Login.DeviceId}";
            var (found, told) = (seen[name], result.Devices.First(each => each.Name == name));
            var next = Next(device, found, told, now, began);
            var given = now > (device.Latest > since ? device.Latest : since) + _patience;
            if ((Concluded(device, found, now) ?? (given || next.Saves >= MostSaves ? GivenUp(device, found) : null)) is not { } outcome)
            {
                open.Add(next);
                continue;
            }

            failures += outcome.IsFailure() ? 1 : 0;
            await End(device, outcome, told);
        }

        return (open, failures);
    }

    /// <summary>A login and some commands, of which each may be as slow as the device may be.</summary>
    private static TimeSpan Longest(IReadOnlyList<CutChange> devices) => TimeSpan.FromMinutes(2) + TimeSpan.FromSeconds(
        devices.Max(device => (device.Login.Options.ConnectSeconds ?? 30) + (8 * (device.Login.Options.CommandSeconds ?? 20))));

    private static bool Saw(Dictionary<string, Seen> seen, SandboxEvent told)
    {
        if (told.Type == "looked")
        {
            var data = JsonElement.Parse(told.Data);
            seen[told.Device!] = new Seen(
                data.GetProperty("state").GetString(), data.GetProperty("armed").ValueKind == JsonValueKind.String);
        }
        else if (told.Type is "kept" or "reverted")
        {
            seen[told.Device!] = seen[told.Device!] with { End = told.Type };
        }

        return told.Type is not ("task" or "output");
    }

    /// <summary>Null where it is not known yet.</summary>
    private static DeviceOutcome? Concluded(CutChange device, Seen found, DateTimeOffset now) => found switch
    {
        { End: "kept" } => DeviceOutcome.Changed,
        { End: "reverted" } => DeviceOutcome.Reverted,
        // Somebody has typed something else meanwhile. Before its time is over it may be in the middle of going back.
        { State: "other", Armed: false } when now >= device.Latest && (device.Confirms || !device.IsSoft) => DeviceOutcome.Unknown,
        _ => null,
    };

    private static DeviceOutcome GivenUp(CutChange device, Seen found) =>
        device.Confirms && found is { State: "as_wanted", Armed: false } ? DeviceOutcome.Failed : DeviceOutcome.Unknown;

    private static CutChange Next(CutChange device, Seen found, SandboxDeviceResult told, DateTimeOffset now, DateTimeOffset began)
    {
        var (refused, saves) = (
            told.Code == DeviceCode.AuthFailed ? device.Refused + 1 : 0,
            device.Confirms && told.Code == DeviceCode.TaskFailed && found is { State: "as_wanted", Armed: false } ? device.Saves + 1 : 0);
        // Who is refused may be let in again once the device has gone back.
        var pause = refused == 0 ? _between : _afterRefusal * Math.Pow(2, Math.Min(refused - 1, 8));
        var next = now + (pause < _longestAfterRefusal ? pause : _longestAfterRefusal);
        return device with
        {
            Refused = refused,
            Saves = saves,
            Next = (refused > 0 || (found.Armed && device.Confirms)) && !device.IsSoft && device.Latest > next ? device.Latest : next,
            // What it should have gone back by is gone, and it has not.
            Stuck = device.Stuck || (found is { State: "as_wanted", Armed: false } && !device.Confirms && began >= device.Latest),
        };
    }

    private async Task End(CutChange device, DeviceOutcome outcome, SandboxDeviceResult look)
    {
        var was = device.Result;
        if (outcome == DeviceOutcome.Reverted)
        {
            await Tell(clock.GetUtcNow(), device, "reverted");
        }

        var (code, message) = outcome switch
        {
            DeviceOutcome.Changed => (DeviceCode.Verified, "The work was cut off; the device was found as wanted, and keeps it."),
            DeviceOutcome.Reverted =>
                (was?.Code ?? DeviceCode.WorkerLost, was?.Message ?? "The work was cut off, and the change went back."),
            DeviceOutcome.Failed =>
                (DeviceCode.TaskFailed, $"The change was confirmed, and is not saved: a restart would lose it. {look.Message}".TrimEnd()),
            _ => (DeviceCode.NotVerified, $"The work was cut off, and what the device has is not known. {look.Message}".TrimEnd()),
        };
        await recorder.Report(new DeviceReport(
            device.Login.DeviceId, outcome, outcome switch
            {
                DeviceOutcome.Changed or DeviceOutcome.Failed => true,
                DeviceOutcome.Reverted => false,
                _ => null,
            },
            true, code, message, was?.Result?.GetRawText(), was is { Diff.Length: > 0 } ? was.Diff : null, device.Before,
            outcome switch
            {
                DeviceOutcome.Changed or DeviceOutcome.Failed => device.Wanted,
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
    /// <param name="End">kept, where the change stays and is saved, or reverted; null while it is neither.</param>
    private sealed record Seen(string? State = null, bool Armed = false, string? End = null);
}

/// <summary>A guarded change of a device, which may have begun and may have been cut off.</summary>
/// <param name="Before">Hash of the configuration that it goes back to.</param>
/// <param name="Wanted">Hash of what was to be confirmed.</param>
/// <param name="Confirms">It was decided that the change stays.</param>
/// <param name="Kind">What takes it back; null where nobody knows.</param>
/// <param name="RevertsAt">When it has gone back by itself at the latest.</param>
internal sealed record CutChange(
    DeviceLogin Login, string Before, string? Wanted, bool Confirms, GuardKind? Kind, DateTimeOffset RevertsAt)
{
    // A device may still be going back when its time is over: some count whole minutes, and then have to type.
    private static readonly TimeSpan _slack = TimeSpan.FromSeconds(2);

    /// <summary>What was known of it when it was cut off.</summary>
    public SandboxDeviceResult? Result { get; init; }

    /// <summary>When it is looked at.</summary>
    public DateTimeOffset Next { get; init; }

    /// <summary>So many looks in a row the device has refused the login.</summary>
    public int Refused { get; init; }

    /// <summary>So many looks in a row it did not save what it was to keep.</summary>
    public int Saves { get; init; }

    /// <summary>It has not gone back, though its time is over.</summary>
    public bool Stuck { get; init; }

    public bool IsSoft => Kind == GuardKind.Soft;

    /// <summary>From then on nothing changes by itself, and what is armed is somebody else's.</summary>
    public DateTimeOffset Latest => RevertsAt + _slack;

    public static CutChange Of(DeviceLogin login, ClaimedDevice device, DateTimeOffset now) => new(
        login, device.Kept!, device.Wanted, device.Confirms, device.Guard, device.RevertsAt ?? now);
}
