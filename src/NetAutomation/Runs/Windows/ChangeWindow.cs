using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Persistence;
using NetAutomation.Web;
using NetAutomation.Web.Calendar;
using NetAutomation.Web.Http;
using Npgsql;

namespace NetAutomation.Runs.Windows;

/// <summary>What to change of a window; what is null stays. Of cron and rrule the one given replaces the other.</summary>
/// <param name="Name">1 to 128 characters, unique in the tenant.</param>
/// <param name="Kind">allow or deny.</param>
/// <param name="Duration">ISO 8601, PT1M to P7D.</param>
/// <param name="TimeZone">IANA time zone.</param>
/// <param name="Cron">Start times as five cron fields.</param>
/// <param name="Rrule">Start times as an RRULE (RFC 5545).</param>
/// <param name="Selector">Label selector; empty: all devices.</param>
public sealed record ChangeWindowRequest(
    string? Name = null, WindowRule? Kind = null, string? Duration = null, string? TimeZone = null, string? Cron = null, string? Rrule = null, string? Selector = null);

internal static class ChangeWindow
{
    /// <summary>Changes a window.</summary>
    public static async Task<Results<Ok<WindowView>, Problem>> Patch(
        WindowId id, ChangeWindowRequest body, NetAutomationDb db, Caller caller, WindowCalendars windows, AuditLog audit, TimeProvider clock, HttpContext http,
        CancellationToken cancel)
    {
        if (await Locked(id, db, caller, cancel) is not { } row)
        {
            return Web.Problems.NotFound.With();
        }

        if (ETags.Check(http, row.Version) is { } stale)
        {
            return stale;
        }

        var retimed = body.Cron is not null || body.Rrule is not null || body.TimeZone is not null;
        var wanted = new WindowRequest(
            body.Name ?? row.Name, body.Kind ?? Wire.Value<WindowRule>(row.Kind), body.Duration ?? row.Duration, body.TimeZone ?? row.TimeZone,
            body.Cron ?? (body.Rrule is null ? row.Cron : null), body.Rrule ?? (body.Cron is null ? row.Rrule : null), body.Selector is null ? row.Selector : body.Selector == "" ? null : body.Selector);
        var anchor = retimed ? Recurrence.Anchor(wanted.TimeZone, clock.GetUtcNow()) ?? default : row.Anchor;
        if (await CreateWindow.Refusal(db, wanted, anchor, clock, cancel) is { } refused)
        {
            return refused;
        }

        var (kind, minutes) = (Wire.Name(wanted.Kind), WindowView.Minutes(wanted.Duration));
        try
        {
            await db.Execute(
                $"""
                update runs.maintenance_window set name = {wanted.Name}, kind = {kind}, cron = {wanted.Cron}, rrule = {wanted.Rrule}, anchor = {Recurrence.Text(anchor)}::timestamp,
                  time_zone = {wanted.TimeZone}, minutes = {minutes}, selector = {wanted.Selector}, version = version + 1
                where tenant_id = {caller.Tenant.Value} and id = {id.Value}
                """,
                cancel);
        }
        catch (PostgresException fault) when (fault.ConstraintName == "window_name")
        {
            return Problems.WindowNameTaken.With();
        }

        await windows.Rewrite(caller.Tenant, id, cancel);
        await audit.Append(caller, "window.changed", $"{id}", wanted, cancel);
        row = (await WindowView.Read(db, caller.Tenant, id.Value, null, 1, cancel))[0];
        ETags.Show(http, row.Version);
        return TypedResults.Ok(row.View());
    }

    /// <summary>Removes a window.</summary>
    public static async Task<Results<NoContent, Problem>> Delete(
        WindowId id, NetAutomationDb db, Caller caller, AuditLog audit, HttpContext http, CancellationToken cancel)
    {
        if (await Locked(id, db, caller, cancel) is not { } row)
        {
            return Web.Problems.NotFound.With();
        }

        if (ETags.Check(http, row.Version) is { } stale)
        {
            return stale;
        }

        await db.Execute($"delete from runs.maintenance_window where tenant_id = {caller.Tenant.Value} and id = {id.Value}", cancel);
        await audit.Append(caller, "window.deleted", $"{id}", new { row.Name }, cancel);
        return TypedResults.NoContent();
    }

    private static async Task<WindowView.Row?> Locked(WindowId id, NetAutomationDb db, Caller caller, CancellationToken cancel)
    {
        await db.Execute($"select 1 from runs.maintenance_window where tenant_id = {caller.Tenant.Value} and id = {id.Value} for update", cancel);
        return (await WindowView.Read(db, caller.Tenant, id.Value, null, 1, cancel)).FirstOrDefault();
    }
}
