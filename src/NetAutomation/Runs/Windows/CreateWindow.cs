using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Inventory;
using NetAutomation.Persistence;
using NetAutomation.Web;
using NetAutomation.Web.Calendar;
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
        WindowRequest body, [AsParameters] ResourceCall call, WindowCalendars windows, TimeProvider clock)
    {
        if (Recurrence.Zone(body.TimeZone, body.Rrule).Refused(out var zoneless, out var zone))
        {
            return zoneless;
        }

        body = body with { TimeZone = zone };
        var anchor = Recurrence.Anchor(zone, clock.GetUtcNow()) ?? default;
        if (await Refusal(call.Db, body, anchor, clock, call.Cancel) is { } refused)
        {
            return refused;
        }

        var window = new Window { TenantId = call.Caller.Tenant, Id = WindowId.New(), CreatedAt = clock.GetUtcNow() };
        window.Become(body, anchor);
        return await WindowView.Rows.Create(call, window, body, _ => windows.Rewrite(window.TenantId, window.Id, call.Cancel));
    }

    /// <summary>What is wrong with a window whose zone is known; null where nothing is.</summary>
    public static async Task<Problem?> Refusal(
        NetAutomationDb db, WindowRequest body, DateTime anchor, TimeProvider clock, CancellationToken cancel)
    {
        if (ShownText.Refusal(ShownText.NameFaults(body.Name, "/name")) is { } unfit)
        {
            return unfit;
        }

        if (WindowView.Minutes(body.Duration) is not (>= 1 and <= Longest))
        {
            return Web.Problems.Refused.At("/duration", "duration", "An ISO 8601 duration in days, hours and minutes, from PT1M to P7D.");
        }

        if (Recurrence.Read(new RecurrenceText(body.Cron, body.Rrule, body.TimeZone!, anchor)).Refused(out var problem, out var starts))
        {
            return problem;
        }

        if (!starts.After(clock.GetUtcNow()).Any())
        {
            return Web.Problems.Refused.At(body.Cron is null ? "/rrule" : "/cron", "never", "The rule has no future occurrence.");
        }

        return body.Selector is null ? null : (await TargetResolver.Matching(db, body.Selector, cancel)).Problem;
    }
}
