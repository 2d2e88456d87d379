using System.Text.Json;
using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Persistence;
using NetAutomation.Tenants.Operators;
using NetAutomation.Web;
using NetAutomation.Web.Http;

namespace NetAutomation.Tenants.Reading;

/// <summary>Exports a tenant for the provider.</summary>
/// <param name="RequestId">The approved request of this.</param>
public sealed record ExportTenantRequest(OperatorRequestId RequestId);

/// <summary>
/// The data that a leaving customer takes along: one JSON object a line, <c>{"kind", "data"}</c>, with the data as the API's lists show it.
/// The last line is of kind <c>end</c> and counts the others; without it, the export is incomplete.
/// </summary>
internal static class ExportTenant
{
    public const string MediaType = "application/x-ndjson";
    private const int FlushAt = 64 * 1024;

    /// <summary>
    /// Everything of the tenant except secrets, logs and artifacts. Not one moment's picture: lists are read one after another.
    /// </summary>
    public static IResult Handle(
        NetAutomationDb db, Caller caller, IEnumerable<ExportPart> parts, ICallerCheck check, HttpContext http) =>
        Stream(new ExportSource(db, caller, http.RequestServices), parts, () => check.StillValid(http), http);

    /// <summary>The same for the provider, also when the customer itself may no longer read.</summary>
    public static async Task<Results<PushStreamHttpResult, Problem>> ForOperator(
        TenantId id, ExportTenantRequest request, NetAutomationDb db, SystemDb system, OperatorCaller caller, IEnumerable<ExportPart> parts,
        HttpContext http, CancellationToken cancel)
    {
        if (!await system.Scalar<bool>($"select exists (select from onboarding.tenant where tenant_id = {id.Value})", cancel))
        {
            return Web.Problems.NotFound.With();
        }

        if ((await OperateRequests.Use(system, id, OperatorDeed.Export, request.RequestId, caller, cancel))
            .Refused(out var unapproved, out var approved))
        {
            return unapproved;
        }

        await new AuditLog(system).Append(
            caller, id, "tenant.exported", $"{id}", new { approved.Reason, request.RequestId, approved.ApprovedBy }, cancel);
        var reader = new Caller(id, ApiKeyId.None, MemberId.None, caller.Name, MemberRole.Viewer, "", Suspended: false);
        return Stream(new ExportSource(db, reader, http.RequestServices), parts, () => Task.FromResult(true), http);
    }

    private static PushStreamHttpResult Stream(
        ExportSource source, IEnumerable<ExportPart> parts, Func<Task<bool>> mayGoOn, HttpContext http) =>
        ExportBody.Of(http, MediaType, $"{source.Caller.Tenant}.ndjson", body => Write(source, parts, mayGoOn, body));

    private static async Task Write(
        ExportSource source, IEnumerable<ExportPart> parts, Func<Task<bool>> mayGoOn, ExportBody body)
    {
        var counts = new SortedDictionary<string, long>(StringComparer.Ordinal);
        using var lines = new MemoryStream();
        foreach (var part in parts)
        {
            counts[part.Kind] = 0;
            await foreach (var row in part.Rows(source, body.Cancel))
            {
                Line(lines, part.Kind, row);
                counts[part.Kind]++;
                if (lines.Length >= FlushAt && !await Flush())
                {
                    return;
                }
            }
        }

        Line(lines, "end", JsonSerializer.SerializeToElement(new { source.Caller.Tenant, counts }, Json.Api));
        await Flush();

        async Task<bool> Flush()
        {
            await body.Write(lines.GetBuffer().AsMemory(0, (int)lines.Length));
            lines.SetLength(0);
            return await mayGoOn();
        }
    }

    private static void Line(MemoryStream lines, string kind, JsonElement data)
    {
        JsonSerializer.Serialize(lines, new { kind, data }, Json.Api);
        lines.WriteByte((byte)'\n');
    }
}
