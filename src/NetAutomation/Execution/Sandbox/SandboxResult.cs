using System.Text.Json;
using NetAutomation.Runs;

namespace NetAutomation.Execution.Sandbox;

/// <summary>
/// Stable codes of a device; docs/runs.md explains them. A dial may add its own (<see cref="DialRefusedException"/>).
/// </summary>
internal static class DeviceCode
{
    public const string AuthFailed = "auth_failed";
    public const string Cancelled = "cancelled";
    public const string CheckFailed = "check_failed";
    public const string ConnectRefused = "connect_refused";
    public const string ConnectTimeout = "connect_timeout";
    public const string ConnectionClosed = "connection_closed";
    public const string ConnectorAbsent = "connector_absent";
    public const string DeviceDeleted = "device_deleted";
    public const string DeviceDisabled = "device_disabled";
    public const string DeviceInUse = "device_in_use";
    public const string Drift = "drift";
    public const string GuardCheckFailed = "guard_check_failed";
    public const string GuardUnsupported = "guard_unsupported";
    public const string HardTimeout = "hard_timeout";
    public const string HostKeyMismatch = "host_key_mismatch";
    public const string HostKeyNotPinned = "host_key_not_pinned";
    public const string IdleTimeout = "idle_timeout";
    public const string IncompleteOutput = "incomplete_output";
    public const string InternalError = "internal_error";
    public const string KeyUnreadable = "key_unreadable";
    public const string LifelineLost = "lifeline_lost";
    public const string MaxFailures = "max_failures";
    public const string NeedsAnswer = "needs_answer";
    public const string NotAllowed = "not_allowed";
    public const string NotConfirmed = "not_confirmed";
    public const string NotProven = "not_proven";
    public const string NotVerified = "not_verified";
    public const string Pager = "pager";
    public const string PasswordExpired = "password_expired";
    public const string PasswordPending = "password_pending";
    public const string PlatformMismatch = "platform_mismatch";
    public const string Refused = "refused";
    public const string SandboxFailed = "sandbox_failed";
    public const string SandboxLimit = "sandbox_limit";
    public const string SecretRotated = "secret_rotated";
    public const string SshIncompatible = "ssh_incompatible";
    public const string StaleFence = "stale_fence";
    public const string TaskFailed = "task_failed";
    public const string TimerPending = "timer_pending";
    public const string TooManySessions = "too_many_sessions";
    public const string UnknownPlatform = "unknown_platform";
    public const string Unreachable = "unreachable";
    public const string Verified = "verified";
    public const string VersionWithdrawn = "version_withdrawn";
    public const string WindowClosed = "window_closed";
    public const string WorkerLost = "worker_lost";
    public const string WorkerStopped = "worker_stopped";
}

internal sealed record SandboxArtifact(string Name, byte[] Content);

/// <param name="Changed">Null where it is not known, for example after a refused line.</param>
/// <param name="Contacted">A connection to the device was open at least once.</param>
/// <param name="Artifacts">They go with the event of the outcome; the run's result has those alone that nobody took.</param>
internal sealed record SandboxDeviceResult(
    string Name,
    DeviceOutcome Outcome,
    bool? Changed,
    bool Contacted,
    string? Code,
    string? Message,
    string Diff,
    JsonElement? Result,
    IReadOnlyList<SandboxArtifact> Artifacts)
{
    /// <summary>
    /// Configurations of the device, normalised: <c>before</c> the block did anything, <c>after</c> its change. One that is too large is
    /// missing. They go with the event of the outcome, too.
    /// </summary>
    public IReadOnlyList<SandboxArtifact> Texts { get; init; } = [];

    /// <summary>
    /// A change under guard may be there, and nobody has heard that it stays or that it is gone: the device goes back, or was confirmed.
    /// </summary>
    public bool Open { get; init; }

    /// <summary>The hash of the configuration before; null where it was not read.</summary>
    public string? BeforeHash { get; init; }

    /// <summary>The hash of the configuration after; null where it was not read.</summary>
    public string? AfterHash { get; init; }

    /// <summary>The configuration before was handed over, and is kept.</summary>
    public bool Kept { get; init; }

    /// <summary>Of a device whose sandbox could not be made.</summary>
    public static SandboxDeviceResult NotStarted(string device) => new(
        device, DeviceOutcome.NotStarted, false, false, DeviceCode.SandboxFailed, SandboxFailedException.Advice, "", null, []);
}

/// <param name="Fault">The fault of the run as a whole; null where there is none.</param>
/// <param name="Gone">The kernel confirmed that no process of the sandbox is left.</param>
internal sealed record SandboxResult(IReadOnlyList<SandboxDeviceResult> Devices, string? Fault, bool Gone);

/// <param name="Type">
/// <c>device_started</c>, <c>task</c>, <c>output</c> or <c>device_outcome</c>; those that no customer sees: <c>login</c>, where a device
/// was let in by one of two passwords; of a guard <c>keep</c>, where a change waits for <see cref="Verdict.Go"/>, <c>waits</c>, where it
/// waits for <see cref="Verdict.Confirm"/>, <c>unready</c>, where it does so no more, <c>over</c>, where nothing more comes of it,
/// <c>planned</c>, <c>armed</c>, <c>confirmed</c>, <c>reverted</c>; of a look <c>looked</c>, <c>kept</c>, <c>reverted</c>.
/// </param>
/// <param name="Data">A JSON object, scrubbed and at most 16 KiB; empty on <c>device_outcome</c>.</param>
/// <param name="Outcome">Set on <c>device_outcome</c>.</param>
/// <param name="Text">The configuration before with <c>keep</c>; null where it is too large.</param>
internal sealed record SandboxEvent(
    DateTimeOffset Time, string Type, string? Device, string Data, SandboxDeviceResult? Outcome = null, byte[]? Text = null);

/// <param name="Name">The device.</param>
/// <param name="Stage">The last stage entered: <c>tcp</c>, <c>ssh</c> or <c>auth</c>; null where nothing was tried.</param>
/// <param name="RttMs">How long opening the connection took.</param>
/// <param name="Message">What stopped it, and what helps.</param>
/// <param name="Pending">Whether the pending password let it in; null where neither did, or no password was asked for.</param>
internal sealed record ProbeResult(
    string Name, bool Reachable, string? Stage, string? Code, int? RttMs, string? HostKeySha256, string? HostKey, string? Message,
    bool? Pending = null);

/// <summary>Thrown by a dial that knows why it was refused; the code becomes the device's code.</summary>
internal sealed class DialRefusedException(string code, string message) : Exception(message)
{
    public string Code { get; } = code;
}

/// <summary>Thrown where the host lets no sandbox be made: no fault of a device or a block.</summary>
internal sealed class SandboxFailedException(Exception fault) : Exception($"No sandbox could be made. {fault.Message}", fault)
{
    public const string Advice = "The service had no room for a sandbox, or it failed; nothing is known about the device. Try again.";
}
