using System.Globalization;
using System.Text.RegularExpressions;
using NetAutomation.Web.Http;

namespace NetAutomation.Runs.Windows;

/// <summary>Whether runs may start inside the window.</summary>
public enum WindowRule
{
    /// <summary>Runs may start inside only.</summary>
    Allow,

    /// <summary>No run starts inside; stronger than every allow.</summary>
    Deny,
}

/// <summary>A time in which runs may, or may not, start on devices.</summary>
/// <param name="Id">The window.</param>
/// <param name="Name">Unique in the tenant.</param>
/// <param name="Kind">allow or deny.</param>
/// <param name="Cron">When it starts, as it was given.</param>
/// <param name="Rrule">When it starts, as it was given.</param>
/// <param name="Duration">How long it lasts, for example PT4H; elapsed time, also on the days clocks change.</param>
/// <param name="TimeZone">IANA time zone of the local times.</param>
/// <param name="Selector">The devices it applies to; null: all.</param>
/// <param name="CreatedAt">When it was made.</param>
public sealed partial record WindowView(
    WindowId Id, string Name, WindowRule Kind, string? Cron, string? Rrule, string Duration, string TimeZone, string? Selector,
    DateTimeOffset CreatedAt)
{
    internal static readonly Resource<WindowKind, Window, WindowView> Rows = new(
        "window", "/v1/windows",
        row => new(row.Id, row.Name, row.Kind, row.Cron, row.Rrule, row.Duration, row.TimeZone, row.Selector, row.CreatedAt),
        null, ("window_name", Problems.WindowNameTaken));

    /// <summary>Whole minutes of an ISO 8601 duration in days, hours and minutes; null where it is none.</summary>
    internal static int? Minutes(string duration)
    {
        var match = DurationPattern().Match(duration);
        int Part(string name) => match.Groups[name].Success ? int.Parse(match.Groups[name].ValueSpan, CultureInfo.InvariantCulture) : 0;
        return match.Success ? (Part("days") * 1440) + (Part("hours") * 60) + Part("minutes") : null;
    }

    [GeneratedRegex(
        @"\AP(?=.)(?:(?<days>[0-9]{1,3})D)?(?:T(?=.)(?:(?<hours>[0-9]{1,4})H)?(?:(?<minutes>[0-9]{1,5})M)?)?\z",
        RegexOptions.CultureInvariant, 1000)]
    private static partial Regex DurationPattern();
}
