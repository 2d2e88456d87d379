using System.ComponentModel;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;
using NetAutomation.Persistence;
using NetAutomation.Web;

namespace NetAutomation.Billing.Usage;

/// <summary>A fact that was metered.</summary>
/// <param name="EventId">Derived from run, meter and device, so the same fact has one id.</param>
/// <param name="RunId">The run.</param>
/// <param name="Meter">run, device or minute.</param>
/// <param name="DeviceId">The device, for the device meter.</param>
/// <param name="Quantity">How much; below zero where a correction took it back.</param>
/// <param name="Block">Slug of the block.</param>
/// <param name="OccurredAt">When the run was settled.</param>
public sealed record UsageView(
    Guid EventId, RunId RunId, string Meter, DeviceId? DeviceId, long Quantity, string Block, DateTimeOffset OccurredAt);

internal static class ListUsage
{
    /// <summary>Usage events, newest first; with <c>groupBy</c> sums of quantities and cost instead.</summary>
    public static async Task<Results<Ok<Page<UsageView>>, Ok<Page<UsageGroupView>>, Problem>> Handle(
        NetAutomationDb db,
        Caller caller,
        [AsParameters] PageQuery page,
        CancellationToken cancel,
        [Description("Only this block.")] string? block = null,
        [Description("Sums by these: block, device, day (UTC), separated by commas.")] string? groupBy = null,
        [Description("From then on; groups: the first of the month where omitted.")] DateTimeOffset? from = null,
        [Description("Before then.")] DateTimeOffset? to = null)
    {
        if (groupBy is not null)
        {
            return (await GroupUsage.Read(db, caller.Tenant, page, block, groupBy, from, to, cancel))
                .Refused(out var refused, out var groups) ? refused : TypedResults.Ok(groups);
        }

        // Events of one transaction share a time. They are ordered by run, which follows time, and then by event.
        var read = await page.Read<UsageView>(
            $"usage?{block}&{from:O}&{to:O}",
            (below, take) => db.Query<UsageView>(
                $"""
                select event_id, run_id, meter, device_id, quantity, block, occurred_at from billing.usage_event u
                where tenant_id = {caller.Tenant.Value} and ({block}::text is null or block = {block})
                  and ({from?.UtcDateTime}::timestamptz is null or occurred_at >= {from?.UtcDateTime})
                  and ({to?.UtcDateTime}::timestamptz is null or occurred_at < {to?.UtcDateTime})
                  and ({below}::uuid is null or (run_id, event_id) < (
                    select run_id, event_id from billing.usage_event b where b.tenant_id = u.tenant_id and b.event_id = {below}))
                order by run_id desc, event_id desc limit {take}
                """,
                cancel),
            view => view.EventId);
        return read.Refused(out var problem, out var value) ? problem : TypedResults.Ok(value);
    }

    /// <summary>Of two answers with one status the document would show the last alone.</summary>
    public static async Task Describe(OpenApiOperation operation, OpenApiOperationTransformerContext context, CancellationToken cancel)
    {
        const string name = "PageOfUsageView";
        var answer = operation.Responses!["200"].Content!["application/json"];
        context.Document!.AddComponent(name, await context.GetOrCreateSchemaAsync(typeof(Page<UsageView>), null, cancel));
        answer.Schema = new OpenApiSchema { OneOf = [new OpenApiSchemaReference(name, context.Document), answer.Schema!] };
    }
}
