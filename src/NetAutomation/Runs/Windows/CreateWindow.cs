using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Inventory;
using NetAutomation.Web;
using NetAutomation.Web.Calendar;
using NetAutomation.Web.Evaluation;
using NetAutomation.Web.Http;

namespace NetAutomation.Runs.Windows;

/// <summary>A window to make.</summary>
/// <param name="Name">1 to 128 characters, unique in the tenant.</param>
/// <param name="Kind">allow or deny.</param>
/// <param name="Duration">ISO 8601, PT1M to P7D.</param>
/// <param name="TimeZone">IANA time zone; where omitted, the one in which the rule's DTSTART stands.</param>
/// <param name="Cron">Start times as five cron fields, or @hourly, @daily, @weekly, @monthly, @yearly; or rrule.</param>
/// <param name="Rrule">Start times as an RRULE (RFC 5545), with DTSTART and EXDATE if wanted, on lines or separated by blanks; or
/// cron.</param>
/// <param name="Selector">Label selector of the devices it applies to; all where omitted.</param>
public sealed record WindowRequest(
    string Name, WindowRule Kind, string Duration, string? TimeZone = null, string? Cron = null, string? Rrule = null,
    string? Selector = null);

internal static class CreateWindow
{
    private const int Longest = 7 * 24 * 60;

    /// <summary>Adds a window. It holds from now on for every run that has not started.</summary>
    public static async Task<Results<Created<WindowView>, Problem>> Handle(
        WindowRequest body, [AsParameters] ResourceCall call, WindowCalendars windows, Evaluations evaluations, TimeProvider clock)
    {
        if (Recurrence.Zone(body.TimeZone, body.Rrule).Refused(out var zoneless, out var zone))
        {
            return zoneless;
        }

        body = body with { TimeZone = zone };
        var anchor = Recurrence.Anchor(zone, clock.GetUtcNow()) ?? default;
        if (Read(call, body, anchor, evaluations, clock).Refused(out var refused, out var starts))
        {
            return refused;
        }

        var window = new Window { TenantId = call.Caller.Tenant, Id = WindowId.New(), CreatedAt = clock.GetUtcNow() };
        window.Become(body, anchor, starts.Last);
        return await WindowView.Rows.Create(call, window, body, _ => windows.Rewrite(window.TenantId, window.Id, call.Cancel));
    }

    /// <summary>The times of a window whose zone is known, or what is wrong with the window.</summary>
    public static Outcome<NewRecurrence> Read(
        ResourceCall call, WindowRequest body, DateTime anchor, Evaluations evaluations, TimeProvider clock)
    {
        if (ShownText.Refusal(ShownText.NameFaults(body.Name, "/name")) is { } unfit)
        {
            return unfit;
        }

        if (WindowView.Minutes(body.Duration) is not (>= 1 and <= Longest))
        {
            return Web.Problems.Refused.At("/duration", "duration", "An ISO 8601 duration in days, hours and minutes, from PT1M to P7D.");
        }

        var text = new RecurrenceText(body.Cron, body.Rrule, body.TimeZone!, anchor);
        var starts = Recurrence.Make(text, clock.GetUtcNow(), evaluations.BeginRule(call.Cancel));
        return starts.Problem is null && body.Selector is not null && TargetResolver.Refusal(body.Selector) is { } problem
            ? problem : starts;
    }
}
