using NetAutomation.History.Store;
using NetAutomation.Inventory;
using NetAutomation.Persistence;
using NetAutomation.Platforms;

namespace NetAutomation.History.Read;

/// <summary>Texts of a device, and what hides its secrets.</summary>
internal sealed record OpenTexts(IReadOnlyList<TextLines> Texts, SecretMask Mask)
{
    /// <summary>A line as a viewer may see it.</summary>
    public string Shown(string line) => Mask.Line(line);

    /// <summary>A text as a viewer may see it.</summary>
    public string Shown(TextLines text) => string.Join('\n', Enumerable.Range(0, text.Count).Select(line => Shown(text.Show(line))));
}

/// <summary>The newest text of a device.</summary>
internal sealed record NewestText(DeviceId Device, int Version, TextLines Lines, SecretMask Mask);

/// <summary>Opens the texts of a device, in the tenant's transaction.</summary>
internal sealed class ConfigTexts(NetAutomationDb db, TextSeals seals, SecretMasks masks)
{
    /// <summary>The device's texts of these numbers; null where it has none.</summary>
    public async Task<OpenTexts?> Open(
        TenantId tenant, DeviceId device, CancellationToken cancel, params int[] versions)
    {
        var rows = await db.Query<ChainRow>(
            $"select {TextChain.Columns} from history.device where tenant_id = {tenant.Value} and device_id = {device.Value}", cancel);
        if (rows is not [var row])
        {
            return null;
        }

        using var seal = await seals.Of(db, row.TenantKeyVersion, cancel);
        var chain = new TextChain(db, tenant, row, seal);
        var texts = new List<TextLines>();
        foreach (var version in versions)
        {
            texts.Add(await chain.Read(version, cancel));
        }

        return new OpenTexts(texts, await masks.Of(db, row.Platforms, cancel));
    }

    /// <summary>The newest texts of devices in order of their ids, by turns, until nobody asks for more.</summary>
    /// <param name="among">Only these; all where null.</param>
    /// <param name="above">Only devices after this one.</param>
    public async IAsyncEnumerable<NewestText> Newest(
        TenantId tenant, Guid[]? among, Guid above, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancel)
    {
        const int turn = 20;
        var open = new Dictionary<int, TextSeal>();
        try
        {
            List<ChainRow> rows;
            do
            {
                FormattableString these = among is null ? $"" : (FormattableString)$"and device_id = any ({among})";
                rows = await db.Query<ChainRow>(
                    $"""
                    select {TextChain.Columns} from history.device
                    where tenant_id = {tenant.Value} and device_id > {above} {these} order by device_id limit {turn}
                    """,
                    cancel);
                foreach (var row in rows)
                {
                    if (!open.TryGetValue(row.TenantKeyVersion, out var seal))
                    {
                        open[row.TenantKeyVersion] = seal = await seals.Of(db, row.TenantKeyVersion, cancel);
                    }

                    var lines = await new TextChain(db, tenant, row, seal).Read(row.Newest, cancel);
                    yield return new NewestText(row.DeviceId, row.Newest, lines, await masks.Of(db, row.Platforms, cancel));
                    above = row.DeviceId.Value;
                }
            }
            while (rows.Count == turn);
        }
        finally
        {
            foreach (var seal in open.Values)
            {
                seal.Dispose();
            }
        }
    }
}
