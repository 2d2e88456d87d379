using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Web;
using NetAutomation.Web.Calendar;
using NetAutomation.Web.Evaluation;
using NetAutomation.Web.Http;

namespace NetAutomation.Runs.Windows;

/// <summary>What to change of a window; what is null stays. Of cron and rrule the one given replaces the other.</summary>
/// <param name="Name">1 to 128 characters, unique in the tenant.</param>
/// <param name="Kind">allow or deny.</param>
/// <param name="Duration">ISO 8601, PT1M to P7D.</param>
/// <param name="TimeZone">IANA time zone.</param>
/// <param name="Cron">Start times as five cron fields, or a name for them.</param>
/// <param name="Rrule">Start times as an RRULE (RFC 5545), with DTSTART and EXDATE if wanted.</param>
/// <param name="Selector">Label selector; empty: all devices.</param>
public sealed record ChangeWindowRequest(
    string? Name = null, WindowRule? Kind = null, string? Duration = null, string? TimeZone = null, string? Cron = null,
    string? Rrule = null, string? Selector = null);

internal static class ChangeWindow
{
    /// <summary>Changes a window.</summary>
    public static Task<Results<Ok<WindowView>, Problem>> Patch(
        WindowId id, ChangeWindowRequest body, [AsParameters] ResourceCall call, WindowCalendars windows, Evaluations evaluations,
        TimeProvider clock) =>
            WindowView.Rows.Change(
        call,
        id,
        async window =>
        {
            var retimed = body.Cron is not null || body.Rrule is not null || body.TimeZone is not null;
            var wanted = new WindowRequest(
                body.Name ?? window.Name, body.Kind ?? window.Kind, body.Duration ?? window.Duration, body.TimeZone ?? window.TimeZone,
                body.Cron ?? (body.Rrule is null ? window.Cron : null), body.Rrule ?? (body.Cron is null ? window.Rrule : null),
                body.Selector == "" ? null : body.Selector ?? window.Selector);
            var anchor = retimed ? Recurrence.Anchor(wanted.TimeZone!, clock.GetUtcNow()) ?? default : window.Anchor;
            if (CreateWindow.Read(call, wanted, anchor, evaluations, clock).Refused(out var refused, out var starts))
            {
                return refused;
            }

            window.Become(wanted, anchor, starts.Last);
            return new Changed(wanted);
        },
        window => windows.Rewrite(window.TenantId, id, call.Cancel));

    /// <summary>Removes a window.</summary>
    public static Task<Results<NoContent, Problem>> Delete(WindowId id, [AsParameters] ResourceCall call) =>
        WindowView.Rows.Delete(call, id);
}
