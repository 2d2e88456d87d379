using System.Runtime.CompilerServices;
using NetAutomation.Web;

namespace NetAutomation.Runs;

/// <summary>Where a run stands; docs/runs.md draws the states.</summary>
public enum RunState
{
    /// <summary>Accepted, money held. Leaves by a claim, a cancel, or when startBy passes.</summary>
    Queued,

    /// <summary>A worker holds it and its devices; no device was contacted.</summary>
    Claimed,

    /// <summary>Committed before the first dial.</summary>
    Running,

    /// <summary>A cancel was asked for; ends when no session is left on any device.</summary>
    Cancelling,

    /// <summary>The state of at least one device is not known. Never settled by guessing.</summary>
    Unknown,

    /// <summary>Every device ok or changed.</summary>
    Succeeded,

    /// <summary>At least one device failed, was unreachable or was not started.</summary>
    Failed,

    /// <summary>A cancel left a device unfinished.</summary>
    Cancelled,

    /// <summary>Not started by startBy.</summary>
    Expired,

    /// <summary>An unknown run, decided with evidence.</summary>
    Resolved,
}

/// <summary>Dry run or change.</summary>
public enum RunMode
{
    Check,
    Apply,
}

/// <summary>How far a device is.</summary>
public enum DevicePhase
{
    Waiting,
    Connecting,
    Running,

    /// <summary>A change that was cut off goes back: by itself, by <c>revertsAt</c>, or by us.</summary>
    Reverting,
    Done,
}

/// <summary>The final word on one device.</summary>
public enum DeviceOutcome
{
    Ok,
    Changed,

    /// <summary>The guard took the change back: the configuration is that of before, byte for byte. Costs nothing.</summary>
    Reverted,
    Failed,
    Unreachable,
    NotStarted,

    /// <summary>Work had begun and its end was not seen: the device's configuration may be anything in between.</summary>
    Unknown,
}

internal static class DeviceOutcomes
{
    /// <summary>Columns that count devices: one for each outcome, by its name.</summary>
    public static readonly FormattableString Counts = FormattableStringFactory.Create(string.Join(
        ", ", Enum.GetValues<DeviceOutcome>().Select(Wire.Name).Select(name => $"count(*) filter (where outcome = '{name}') as {name}")));

    /// <summary>The device is as it was wanted. Only that is billed, and not tried again.</summary>
    public static bool IsGood(this DeviceOutcome outcome) => outcome is DeviceOutcome.Ok or DeviceOutcome.Changed;

    /// <summary>It counts for maxFailures. What was left alone, such as a device that is no longer as it was planned, does not.</summary>
    public static bool IsFailure(this DeviceOutcome outcome) => !outcome.IsGood() && outcome != DeviceOutcome.NotStarted;
}

/// <summary>Sets of states in SQL. Literals, so that a partial index serves.</summary>
internal static class RunStates
{
    public static readonly FormattableString Queued = In(RunState.Queued);
    public static readonly FormattableString Running = In(RunState.Running);
    public static readonly FormattableString Cancelling = In(RunState.Cancelling);

    /// <summary>A worker may be at its devices.</summary>
    public static readonly FormattableString UnderWay = In(RunState.Running, RunState.Cancelling);

    /// <summary>A worker holds it.</summary>
    public static readonly FormattableString Held = In(RunState.Claimed, RunState.Running, RunState.Cancelling);

    /// <summary>It goes on by itself: no person has to decide anything.</summary>
    public static readonly FormattableString Open = In(RunState.Queued, RunState.Claimed, RunState.Running, RunState.Cancelling);

    public static FormattableString In(params RunState[] states) =>
        FormattableStringFactory.Create($"({string.Join(", ", states.Select(state => $"'{Wire.Name(state)}'"))})");
}
