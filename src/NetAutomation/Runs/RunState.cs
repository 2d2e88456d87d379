namespace NetAutomation.Runs;

/// <summary>Where a run stands. Legal moves are rows of <c>runs.legal_transition</c>; Runs/README.md draws them.</summary>
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

    /// <summary>What happened to at least one device is not known. Never settled by guessing.</summary>
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
    Done,
}

/// <summary>The final word on one device.</summary>
public enum DeviceOutcome
{
    Ok,
    Changed,
    Failed,
    Unreachable,
    NotStarted,
    Unknown,
}
