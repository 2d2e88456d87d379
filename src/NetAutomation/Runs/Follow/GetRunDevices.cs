using System.ComponentModel;
using System.Net.Http.Headers;
using System.Text.Json;
using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Billing;
using NetAutomation.Persistence;
using NetAutomation.Web;

namespace NetAutomation.Runs.Follow;

/// <summary>A file a block made on a device.</summary>
/// <param name="Name">Name within the device's outcome.</param>
/// <param name="MediaType">Media type.</param>
/// <param name="Size">Bytes.</param>
/// <param name="Sha256">SHA-256 in hexadecimal.</param>
public sealed record ArtifactView(string Name, string MediaType, long Size, string Sha256);

/// <summary>One device of a run.</summary>
/// <param name="RunId">The run.</param>
/// <param name="DeviceId">The device.</param>
/// <param name="Name">Its name when the run was accepted.</param>
/// <param name="Phase">How far it is.</param>
/// <param name="Outcome">Null until final.</param>
/// <param name="Changed">True, false, or null where it cannot be told; in a check: would change.</param>
/// <param name="Contacted">A session to the device was opened.</param>
/// <param name="Code">Stable code of a failure.</param>
/// <param name="Message">The failure in words.</param>
/// <param name="StartedAt">When work on it began.</param>
/// <param name="FinishedAt">When its outcome became final.</param>
/// <param name="Result">What the block reports, up to 64 KB.</param>
/// <param name="Artifacts">Files.</param>
/// <param name="Receipt">Proof and price, once settled.</param>
/// <param name="Guard">hard: a change of it goes back by itself; soft: it is put back; null where nothing was armed.</param>
/// <param name="RevertsAt">When a change that is not confirmed has gone back by itself at the latest.</param>
public sealed record RunDeviceView(
    RunId RunId, DeviceId DeviceId, string Name, DevicePhase Phase, DeviceOutcome? Outcome, bool? Changed, bool Contacted, string? Code,
    string? Message,
    DateTimeOffset? StartedAt, DateTimeOffset? FinishedAt, JsonElement? Result, IReadOnlyList<ArtifactView> Artifacts, Receipt? Receipt,
    GuardKind? Guard, DateTimeOffset? RevertsAt);

internal static class GetRunDevices
{
    // Of an artifact, which is read as its reader takes it.
    private const int Part = 512 * 1024;

    /// <summary>The devices of a run by their ids, newest device first.</summary>
    public static async Task<Results<Ok<Page<RunDeviceView>>, Problem>> ListRunDevices(
        RunId id, NetAutomationDb db, Caller caller, [AsParameters] PageQuery page, CancellationToken cancel,
        [Description("Only with this outcome.")] string? outcome = null, [Description("Only with this code.")] string? code = null)
    {
        if (outcome is not null && !Wire.TryValue<DeviceOutcome>(outcome, out _))
        {
            return Web.Problems.Refused.At("/outcome", "unknown_outcome", "There is no such outcome.");
        }

        if (await RunView.Find(db, caller.Tenant, id, cancel) is null)
        {
            return Web.Problems.NotFound.With();
        }

        var read = await page.Read<Row>(
            $"run-devices/{id}/{outcome}/{code}",
            (below, take) => Rows(
                db, caller.Tenant, id,
                $"""
                {RunFilter.When(outcome, $"and outcome = {outcome}")} {RunFilter.When(code, $"and code = {code}")}
                  {RunFilter.When(below, $"and device_id < {below}")} order by device_id desc limit {take}
                """,
                cancel),
            row => row.DeviceId.Value, row => row.Found);
        return read.Refused(out var problem, out var value)
            ? problem : TypedResults.Ok(new Page<RunDeviceView>([.. value.Items.Select(row => row.View([], null))], value.Next));
    }

    /// <summary>One device of a run, with result, artifacts and receipt.</summary>
    public static async Task<Results<Ok<RunDeviceView>, Problem>> GetRunDevice(
        RunId id, DeviceId deviceId, NetAutomationDb db, Caller caller, CancellationToken cancel)
    {
        if (await Find(db, caller.Tenant, id, deviceId, cancel) is not { } row)
        {
            return Web.Problems.NotFound.With();
        }

        return TypedResults.Ok(
            row.View(await Artifacts(db, caller.Tenant, id, deviceId, cancel), await Receipt.Find(db, id, deviceId, cancel)));
    }

    /// <summary>What changed, or in a check would change, as text.</summary>
    public static async Task<Results<ContentHttpResult, Problem>> GetDiff(
        RunId id, DeviceId deviceId, NetAutomationDb db, Caller caller, CancellationToken cancel)
    {
        var diffs = await db.Query<string>(
            $"""
            select coalesce(diff, '') from runs.run_device
            where tenant_id = {caller.Tenant.Value} and run_id = {id.Value} and device_id = {deviceId.Value}
            """,
            cancel);
        return diffs is [var diff] ? TypedResults.Text(diff, "text/plain; charset=utf-8") : Web.Problems.NotFound.With();
    }

    /// <summary>The files a block made on a device.</summary>
    public static async Task<Results<Ok<Page<ArtifactView>>, Problem>> ListArtifacts(
        RunId id, DeviceId deviceId, NetAutomationDb db, Caller caller, CancellationToken cancel) =>
        await Find(db, caller.Tenant, id, deviceId, cancel) is null
            ? Web.Problems.NotFound.With()
            : TypedResults.Ok(new Page<ArtifactView>(await Artifacts(db, caller.Tenant, id, deviceId, cancel), null));

    /// <summary>One file, with its digest; ranges are honoured.</summary>
    public static async Task<Results<FileStreamHttpResult, Problem>> GetArtifact(
        RunId id, DeviceId deviceId, string name, NetAutomationDb db, Caller caller, HttpContext http)
    {
        var rows = await db.Query<Content>(
            $"""
            select media_type, octet_length(content) as size, sha256 from runs.artifact
            where tenant_id = {caller.Tenant.Value} and run_id = {id.Value} and device_id = {deviceId.Value} and name = {name}
            """,
            http.RequestAborted);
        if (rows is not [var file])
        {
            return Web.Problems.NotFound.With();
        }

        http.Response.Headers["Digest"] = $"sha-256={Convert.ToBase64String(file.Sha256)}";
        http.Response.Headers.ContentDisposition = new ContentDispositionHeaderValue("attachment") { FileName = name }.ToString();
        return TypedResults.Stream(
            new PagedStream(file.Size, async (position, cancel) =>
            {
                var begin = position - (position % Part);
                return (begin, (await db.QueryAs<Bytes>(
                    caller.Tenant,
                    $"""
                    select substring(content from {(int)begin + 1} for {Part}) as value from runs.artifact
                    where tenant_id = {caller.Tenant.Value} and run_id = {id.Value} and device_id = {deviceId.Value} and name = {name}
                    """,
                    cancel)).FirstOrDefault()?.Value ?? []);
            }),
            file.MediaType, enableRangeProcessing: true);
    }

    private static async Task<Row?> Find(NetAutomationDb db, TenantId tenant, RunId id, DeviceId device, CancellationToken cancel) =>
        (await Rows(db, tenant, id, $"and device_id = {device.Value}", cancel)).FirstOrDefault();

    private static Task<List<Row>> Rows(
        NetAutomationDb db, TenantId tenant, RunId id, FormattableString condition, CancellationToken cancel) => db.Query<Row>(
        $"""
        select run_id, device_id, name, phase, outcome, changed, contacted, code, message, started_at, finished_at, result, guard,
          case when outcome is null then reverts_at end as reverts_at, found
        from (
          select *, count(*) over () as found, coalesce(sum(octet_length(result::text))
            over (order by device_id desc rows between unbounded preceding and 1 preceding), 0) as before
          from (select * from runs.run_device where tenant_id = {tenant.Value} and run_id = {id.Value} {condition}) page) d
        where before < {PageQuery.MostBytes} order by device_id desc
        """,
        cancel);

    private static async Task<List<ArtifactView>> Artifacts(
        NetAutomationDb db, TenantId tenant, RunId id, DeviceId device, CancellationToken cancel) =>
        await db.Query<ArtifactView>(
            $"""
            select name, media_type, size, encode(sha256, 'hex') as sha256 from runs.artifact
            where tenant_id = {tenant.Value} and run_id = {id.Value} and device_id = {device.Value} order by name
            """,
            cancel);

    private sealed record Row(
        RunId RunId, DeviceId DeviceId, string Name, DevicePhase Phase, DeviceOutcome? Outcome, bool? Changed, bool Contacted, string? Code,
        string? Message, DateTimeOffset? StartedAt, DateTimeOffset? FinishedAt, JsonElement? Result,
        GuardKind? Guard, DateTimeOffset? RevertsAt, long Found)
    {
        public RunDeviceView View(IReadOnlyList<ArtifactView> artifacts, Receipt? receipt) => new(
            RunId, DeviceId, Name, Phase, Outcome, Changed, Contacted, Code, Message, StartedAt, FinishedAt, Result, artifacts, receipt,
            Guard, RevertsAt);
    }

    private sealed record Content(string MediaType, int Size, byte[] Sha256);

    private sealed record Bytes(byte[] Value);
}
