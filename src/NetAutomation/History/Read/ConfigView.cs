using System.ComponentModel;
using System.Text.Json.Serialization;
using NetAutomation.Persistence;

namespace NetAutomation.History.Read;

/// <summary>Which configurations of a device.</summary>
public sealed record ConfigFilter(
    [property: Description("true: only where lines came or went against the one before; false: only where none did.")]
    bool? Changed = null,
    [property: Description("Only what the device had then or later.")] DateTimeOffset? From = null,
    [property: Description("Only what was read before then.")] DateTimeOffset? To = null,
    [property: Description("Only of this kind.")] string? Kind = null,
    [property: Description("Only what this run was the first to read.")] RunId? RunId = null)
{
    internal FormattableString Condition()
    {
        FormattableString all = $"";
        void And(bool asked, FormattableString condition) => all = asked ? $"{all} and {condition}" : all;
        And(Changed is true, $"(c.added > 0 or c.removed > 0)");
        And(Changed is false, $"c.added = 0 and c.removed = 0");
        And(From is not null, $"(c.id >= billing.first_id({From?.UtcDateTime}) or s.last_at >= {From?.UtcDateTime})");
        And(To is not null, $"c.id < billing.first_id({To?.UtcDateTime})");
        And(Kind is not null, $"c.kind = {Kind}");
        And(RunId is not null, $"c.run_id = {RunId?.Value}");
        return all;
    }
}

/// <summary>A configuration of a device, as a run has read it.</summary>
/// <param name="Id">The configuration at this time.</param>
/// <param name="DeviceId">The device.</param>
/// <param name="Kind">backup: a run read it; before, after: a run that may write read it before and after it did.</param>
/// <param name="Version">Number of the text: the same where the device had the same text.</param>
/// <param name="LinesAdded">Against the configuration that was read before.</param>
/// <param name="LinesRemoved">Against the configuration that was read before.</param>
/// <param name="RunId">The run that read it.</param>
/// <param name="Block">Its block.</param>
/// <param name="BlockVersion">Version of the block.</param>
/// <param name="CreatedBy">The member that started the run, or made its schedule.</param>
/// <param name="Member">The member's name now.</param>
/// <param name="Readings">How often it was read without a change in between.</param>
public sealed record ConfigView(
    ConfigId Id, DeviceId DeviceId, ConfigReason Kind, int Version, int LinesAdded, int LinesRemoved, RunId RunId, string? Block,
    string? BlockVersion, MemberId? CreatedBy, string? Member, int Readings)
{
    /// <summary>When it was read again last.</summary>
    [JsonIgnore]
    public DateTimeOffset? Again { get; init; }

    /// <summary>When it was read last: until then the device had it, as far as runs have seen.</summary>
    public DateTimeOffset LastSeen => Again is { } again && again > Time ? again : Time;

    /// <summary>When it was read.</summary>
    public DateTimeOffset Time => TimeOf(Id);

    /// <summary>When a configuration was read first.</summary>
    internal static DateTimeOffset TimeOf(ConfigId id) =>
        DateTimeOffset.FromUnixTimeMilliseconds(Convert.ToInt64($"{id.Value:n}"[..12], fromBase: 16));

    /// <summary>Those of a device, newest first.</summary>
    /// <param name="below">Only older ones than this.</param>
    /// <param name="only">Only this one.</param>
    internal static Task<List<ConfigView>> Of(
        NetAutomationDb db, TenantId tenant, DeviceId device, int take, CancellationToken cancel, Guid? below = null, ConfigId? only = null,
        ConfigFilter? filter = null)
    {
        FormattableString older = below is { } id ? (FormattableString)$"and c.id < {id}" : $"";
        FormattableString same = only is { } one ? (FormattableString)$"and c.id = {one.Value}" : $"";
        return db.Query<ConfigView>(
            $"""
            select c.id, c.device_id, c.kind, c.version, c.added as lines_added, c.removed as lines_removed, c.run_id, r.block,
              r.version as block_version, r.created_by,
              (select name from onboarding.member m where m.tenant_id = r.tenant_id and m.id = r.created_by) as member,
              coalesce(s.readings, 1) as readings, s.last_at as again
            from history.config c left join runs.run r on r.tenant_id = c.tenant_id and r.id = c.run_id
            left join history.spell s on s.tenant_id = c.tenant_id and s.device_id = c.device_id and s.id = c.id
            where c.tenant_id = {tenant.Value} and c.device_id = {device.Value} {older} {same} {filter?.Condition() ?? $""}
            order by c.id desc limit {take}
            """,
            cancel);
    }
}
