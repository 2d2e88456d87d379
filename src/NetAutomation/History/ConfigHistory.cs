using NetAutomation.History.Retain;
using NetAutomation.History.Store;
using NetAutomation.Inventory;
using NetAutomation.Persistence;
using NetAutomation.Web;

namespace NetAutomation.History;

/// <summary>Keeps the configurations that runs have read.</summary>
internal sealed class ConfigHistory(NetAutomationDb db, TextSeals seals, HistoryRoom room)
{
    /// <summary>
    /// Keeps them in the caller's transaction, that of the outcomes. A device that was deleted meanwhile has no history.
    /// </summary>
    /// <param name="writes">The run may change its devices.</param>
    public async Task Keep(TenantId tenant, RunId run, bool writes, IReadOnlyCollection<SeenTexts> seen, CancellationToken cancel)
    {
        // Each device once and in one order, so that no two transactions wait for each other.
        Guid[] devices = [.. seen.Select(each => each.Device.Value)];
        var (there, rows) = await db.Query<DeviceId, ChainRow>(
            $"""
            select id from inventory.device where tenant_id = {tenant.Value} and id = any ({devices}) order by id for key share
            """,
            $"""
            select {TextChain.Columns} from history.device
            where tenant_id = {tenant.Value} and device_id = any ({devices}) order by device_id for update
            """,
            cancel);
        var (known, grown) = (rows.ToDictionary(row => row.DeviceId), false);
        foreach (var each in seen.Where(each => there.Contains(each.Device)).OrderBy(each => each.Device))
        {
            grown |= await Keep(tenant, run, writes, each, known.GetValueOrDefault(each.Device), cancel);
        }

        if (grown)
        {
            await room.Make(tenant, cancel);
        }
    }

    /// <summary>The configuration that a run has kept of a device before it changed it; null where it is no longer there.</summary>
    public async Task<byte[]?> Before(TenantId tenant, RunId run, DeviceId device, CancellationToken cancel)
    {
        var versions = await db.Query<int>(
            $"""
            select version from history.config
            where tenant_id = {tenant.Value} and device_id = {device.Value} and run_id = {run.Value}
              and kind = {Wire.Name(ConfigReason.Before)}
            order by id limit 1
            """,
            cancel);
        return versions is [var version] ? await Read(tenant, device, version, cancel) : null;
    }

    /// <summary>Whose a configuration is, of all that the tenant has; null where there is none.</summary>
    public async Task<ConfigOwner?> Owner(TenantId tenant, ConfigId config, CancellationToken cancel) =>
        // By each device, as they are kept: no index knows a config by its id alone.
        (await db.Query<ConfigOwner>(
            $"""
            select d.device_id, c.platform, c.version from history.device d
            join lateral (
              select platform, version from history.config c
              where c.tenant_id = d.tenant_id and c.device_id = d.device_id and c.id = {config.Value} offset 0) c on true
            where d.tenant_id = {tenant.Value}
            """,
            cancel)).FirstOrDefault();

    /// <summary>The text of a configuration as it is, with its secrets: for its device alone.</summary>
    public async Task<byte[]> Text(TenantId tenant, ConfigOwner owner, CancellationToken cancel) =>
        (await Read(tenant, owner.DeviceId, owner.Version, cancel))!;

    /// <summary>Deletes everything of a tenant that leaves.</summary>
    public static async Task<int> Delete(SystemDb db, TenantId tenant, CancellationToken cancel)
    {
        await db.Execute($"delete from history.retention where tenant_id = {tenant.Value}", cancel);
        return await db.Execute($"delete from history.device where tenant_id = {tenant.Value}", cancel);
    }

    private async Task<byte[]?> Read(TenantId tenant, DeviceId device, int version, CancellationToken cancel)
    {
        if (await db.Query<ChainRow>(
            $"select {TextChain.Columns} from history.device where tenant_id = {tenant.Value} and device_id = {device.Value}", cancel)
            is not [var row])
        {
            return null;
        }

        using var seal = await seals.Of(db, row.TenantKeyVersion, cancel);
        return (await new TextChain(db, tenant, row, seal).Read(version, cancel)).Bytes.ToArray();
    }

    /// <summary>True where the device's texts take more than before.</summary>
    private async Task<bool> Keep(
        TenantId tenant, RunId run, bool writes, SeenTexts seen, ChainRow? row, CancellationToken cancel)
    {
        var texts = new List<(ConfigReason Kind, byte[] Text)>();
        if (seen.Texts.Before is { } before)
        {
            texts.Add((writes ? ConfigReason.Before : ConfigReason.Backup, before));
        }

        if (seen.Texts.After is { } after)
        {
            texts.Add((ConfigReason.After, after));
        }

        if (texts.Count == 0)
        {
            return false;
        }

        using var seal = row is null ? await seals.Newest(db, tenant, cancel) : await seals.Of(db, row.TenantKeyVersion, cancel);
        var first = row is null;
        row ??= await Begin(tenant, seen, seal, texts[0].Text, cancel);
        var chain = new TextChain(db, tenant, row, seal);
        chain.Had(seen.Texts.Platform);
        foreach (var ((kind, text), number) in texts.Select((text, number) => (text, number)))
        {
            var (version, added, removed) = await chain.See(text, cancel);
            if (first && number == 0 && version == 1)
            {
                added = TextLines.Of(text).Shown;
            }

            // In the order of the reading, also within a millisecond.
            Note(tenant, run, seen, kind, seen.Time.AddMilliseconds(number), (version, added, removed));
        }

        if (chain.Row != row)
        {
            await chain.Save(cancel);
        }

        return first || chain.Row.Bytes > row.Bytes;
    }

    /// <summary>
    /// A text that is only read again makes the config before it last longer; whatever a run that writes reads is a config of its own.
    /// </summary>
    private void Note(
        TenantId tenant, RunId run, SeenTexts seen, ConfigReason kind, DateTimeOffset time, (int Version, int Added, int Removed) text)
    {
        var (tenantId, device, platform, at) = (tenant.Value, seen.Device.Value, seen.Texts.Platform, time.UtcDateTime);
        FormattableString again = kind == ConfigReason.Backup
            ? (FormattableString)$"""
                select tenant_id, device_id, id, {at}, 2 from (
                  select tenant_id, device_id, id, version, platform from history.config
                  where tenant_id = {tenantId} and device_id = {device} order by id desc limit 1) c
                where version = {text.Version} and platform = {platform}
                """
            : $"select null::uuid, null, null, null, null where false";
        db.SendWithNext(
            $"""
            with again as (
              insert into history.spell as s (tenant_id, device_id, id, last_at, readings) {again}
              on conflict (tenant_id, device_id, id) do update
                set last_at = greatest(s.last_at, excluded.last_at), readings = s.readings + 1
              returning id)
            insert into history.config (tenant_id, device_id, id, run_id, version, added, removed, kind, platform)
            select {tenantId}, {device}, {Guid.CreateVersion7(time)}, {run.Value}, {text.Version}, {text.Added}, {text.Removed},
              {Wire.Name(kind)}, {platform}
            where not exists (select from again)
            """);
    }

    /// <summary>The row of a device with its first text; of another process, where that was faster.</summary>
    private async Task<ChainRow> Begin(TenantId tenant, SeenTexts seen, TextSeal seal, byte[] text, CancellationToken cancel)
    {
        var (device, digest) = (seen.Device, TextChain.Digest(tenant, seen.Device, seal, text));
        var whole = TextChain.First(tenant, device, seal, text);
        string[] platforms = [seen.Texts.Platform];
        await db.Execute(
            $"""
            insert into history.device (tenant_id, device_id, platforms, tenant_key_version, newest, digest, last, whole, bytes)
            values ({tenant.Value}, {device.Value}, {platforms}, {seal.Version}, 1, {digest}, 1, {whole}, {whole.Length})
            on conflict do nothing
            """,
            cancel);
        return (await db.Query<ChainRow>(
            $"""
            select {TextChain.Columns} from history.device
            where tenant_id = {tenant.Value} and device_id = {device.Value} for update
            """,
            cancel))[0];
    }
}
