using System.ComponentModel;
using System.Text;
using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.History.Store;
using NetAutomation.Persistence;
using NetAutomation.Web;

namespace NetAutomation.History.Read;

/// <summary>A configuration with its text.</summary>
/// <param name="Config">When and why it was read.</param>
/// <param name="Text">The configuration, without what changes by itself. Bytes that are no UTF-8 show as U+FFFD.</param>
/// <param name="Masked">Secrets in it show as <c>***</c>.</param>
public sealed record ConfigText(ConfigView Config, string Text, bool Masked);

/// <summary>What became of a configuration.</summary>
/// <param name="From">The earlier one; null where there is none.</param>
/// <param name="To">The later one.</param>
/// <param name="LinesAdded">Lines of the later one alone.</param>
/// <param name="LinesRemoved">Lines of the earlier one alone.</param>
/// <param name="Diff">In unified form. Secrets show as <c>***</c>; a line whose secret alone has changed goes and comes.</param>
public sealed record ConfigDiff(ConfigId? From, ConfigId To, int LinesAdded, int LinesRemoved, string Diff);

internal static class ReadConfigs
{
    /// <summary>The configurations of a device that runs have read, newest first.</summary>
    internal static async Task<Results<Ok<Page<ConfigView>>, Problem>> List(
        DeviceId id, [AsParameters] ConfigFilter filter, [AsParameters] PageQuery page, NetAutomationDb db, Caller caller,
        CancellationToken cancel)
    {
        if (filter.Kind is { } kind && !Wire.TryValue<ConfigReason>(kind, out _))
        {
            return Web.Problems.Refused.At("/kind", "unknown", "backup, before or after.");
        }

        return await db.Scalar<bool>(
            $"select exists (select from inventory.device where tenant_id = {caller.Tenant.Value} and id = {id.Value})", cancel)
            ? await page.Answer(
                $"/v1/devices/{id}/configs?{filter}",
                (below, take) => ConfigView.Of(db, caller.Tenant, id, take, cancel, below, filter: filter), view => view.Id.Value)
            : Web.Problems.NotFound.With();
    }

    /// <summary>One configuration, with secrets as <c>***</c>. An admin may have them, which is written to the audit log.</summary>
    internal static async Task<Results<Ok<ConfigText>, Problem>> Show(
        DeviceId id, ConfigId configId, NetAutomationDb db, ConfigTexts texts, Caller caller, AuditLog audit, CancellationToken cancel,
        [Description("The text as it is, with its secrets: for the role admin.")] bool raw = false)
    {
        if (raw && caller.Role < MemberRole.Admin)
        {
            return Web.Problems.RoleInsufficient.With("The role admin is needed for a text with its secrets.");
        }

        if (await ConfigView.Of(db, caller.Tenant, id, 1, cancel, only: configId) is not [var view]
            || await texts.Open(caller.Tenant, id, cancel, view.Version) is not { Texts: [var lines] } open)
        {
            return Web.Problems.NotFound.With();
        }

        if (raw)
        {
            await audit.Append(caller, "config.read_raw", $"{configId}", new { DeviceId = id, view.RunId }, cancel);
        }

        return TypedResults.Ok(new ConfigText(view, raw ? Encoding.UTF8.GetString(lines.Bytes) : open.Shown(lines), !raw));
    }

    /// <summary>What is different between two configurations of a device; without a query, what has become of it last.</summary>
    internal static async Task<Results<Ok<ConfigDiff>, Problem>> Diff(
        DeviceId id, NetAutomationDb db, ConfigTexts texts, Caller caller, CancellationToken cancel,
        [Description("The earlier configuration; the one before the later one where omitted.")] ConfigId? from = null,
        [Description("The later configuration; the newest where omitted.")] ConfigId? to = null)
    {
        if (await ConfigView.Of(db, caller.Tenant, id, 1, cancel, only: to) is not [var later])
        {
            return Web.Problems.NotFound.With();
        }

        var earlier = (await ConfigView.Of(db, caller.Tenant, id, 1, cancel, from is null ? later.Id.Value : null, from)).FirstOrDefault();
        int[] versions = earlier is null ? [later.Version] : [later.Version, earlier.Version];
        if ((from is not null && earlier is null) || await texts.Open(caller.Tenant, id, cancel, versions) is not { } open)
        {
            return Web.Problems.NotFound.With();
        }

        var (before, after) = (open.Texts.Count > 1 ? open.Texts[1] : TextLines.Of([]), open.Texts[0]);
        var edits = LineDiff.Between(before, after);
        // Compared as they are, and shown without secrets: else a changed secret would look like none.
        var diff = UnifiedDiff.Of(before, after, edits, open.Shown, $"{earlier?.Time:O}", $"{later.Time:O}");
        return TypedResults.Ok(new ConfigDiff(earlier?.Id, later.Id, edits.Sum(edit => edit.Add), edits.Sum(edit => edit.Remove), diff));
    }
}
