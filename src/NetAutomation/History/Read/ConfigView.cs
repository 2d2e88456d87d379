using NetAutomation.Persistence;

namespace NetAutomation.History.Read;

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
public sealed record ConfigView(
    ConfigId Id, DeviceId DeviceId, ConfigReason Kind, int Version, int LinesAdded, int LinesRemoved, RunId RunId, string? Block,
    string? BlockVersion, MemberId? CreatedBy, string? Member)
{
    /// <summary>When it was read.</summary>
    public DateTimeOffset Time =>
        DateTimeOffset.FromUnixTimeMilliseconds(Convert.ToInt64($"{Id.Value:n}"[..12], fromBase: 16));

    /// <summary>Those of a device, newest first.</summary>
    /// <param name="below">Only older ones than this.</param>
    /// <param name="only">Only this one.</param>
    internal static Task<List<ConfigView>> Of(
        NetAutomationDb db, TenantId tenant, DeviceId device, int take, CancellationToken cancel, Guid? below = null, ConfigId? only = null)
    {
        FormattableString older = below is { } id ? (FormattableString)$"and c.id < {id}" : $"";
        FormattableString same = only is { } one ? (FormattableString)$"and c.id = {one.Value}" : $"";
        return db.Query<ConfigView>(
            $"""
            select c.id, c.device_id, c.kind, c.version, c.added as lines_added, c.removed as lines_removed, c.run_id, r.block,
              r.version as block_version, r.created_by,
              (select name from onboarding.member m where m.tenant_id = r.tenant_id and m.id = r.created_by) as member
            from history.config c left join runs.run r on r.tenant_id = c.tenant_id and r.id = c.run_id
            where c.tenant_id = {tenant.Value} and c.device_id = {device.Value} {older} {same}
            order by c.id desc limit {take}
            """,
            cancel);
    }
}
