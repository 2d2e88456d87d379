using NetAutomation.Runs;

namespace NetAutomation.Scheduling;

/// <summary>What keeps an occurrence from starting at its time.</summary>
/// <param name="Code">window, disabled, misfire, overlap, queue_full, too_costly, or the refusal of the run.</param>
/// <param name="Detail">In words.</param>
/// <param name="EligibleAt">For a window: when its run may start. For an occurrence that started none: the next occurrence.</param>
public sealed record Blocked(string Code, string? Detail, DateTimeOffset? EligibleAt)
{
    /// <summary>The window that keeps the devices from being worked on; null where none does.</summary>
    internal static Blocked? By(WindowCalendar calendar, DateTimeOffset at) =>
        calendar.Gates(at).FirstOrDefault() is { } gate
            ? new Blocked(
                "window", gate.Deny ? $"In the deny window '{gate.Name}'." : $"Outside the allow windows, such as '{gate.Name}'.",
                calendar.NextOpen(at))
            : null;
}
