using NetAutomation.Inventory;
using NetAutomation.Persistence;

namespace NetAutomation.History.Store;

/// <summary>A device's row, as it is stored.</summary>
internal sealed record ChainRow(
    DeviceId DeviceId, string[] Platforms, int TenantKeyVersion, int Newest, Guid Digest, int Last, int Packed, byte[] Whole);

/// <summary>
/// The texts of one device. A later text is whole and earlier ones are differences, since it is the later one that is read; when there are
/// many differences they go into a pack, so that no reader goes a long way.
/// </summary>
internal sealed class TextChain(NetAutomationDb db, TenantId tenant, ChainRow row, TextSeal seal)
{
    // A pack is written anew for each fold until it is full.
    private const int FoldAt = 64;
    private const int PackOf = 256;
    private string[]? _whole;
    private bool _added;

    /// <summary>The row as it is now.</summary>
    public ChainRow Row { get; private set; } = row;

    /// <summary>The columns of <see cref="ChainRow"/>.</summary>
    public static FormattableString Columns => $"device_id, platforms, tenant_key_version, newest, digest, last, packed, whole";

    public static Guid Digest(TenantId tenant, DeviceId device, TextSeal seal, byte[] text) => seal.Digest($"{tenant}|{device}", text);

    /// <summary>The first text of a device, sealed.</summary>
    public static byte[] First(TenantId tenant, DeviceId device, TextSeal seal, byte[] text) =>
        seal.Seal($"{tenant}|{device}|whole|1", Delta.Squeeze(text));

    /// <summary>
    /// Takes note of a text that was seen. Returns its number, and how many lines came and went against the one before.
    /// </summary>
    public async Task<(int Version, int Added, int Removed)> See(byte[] text, CancellationToken cancel)
    {
        var digest = Digest(tenant, Row.DeviceId, seal, text);
        if (digest == Row.Digest)
        {
            return (Row.Newest, 0, 0);
        }

        var (lines, before) = (TextLines.Of(text), await Read(Row.Newest, cancel));
        var edits = LineDiff.Between(before, lines);
        var known = await Find(digest, cancel);
        if (known is null)
        {
            Add(lines, Row.Newest == Row.Last ? edits.Select(edit => edit.Back) : LineDiff.Between(lines, Whole()));
        }

        Row = Row with { Newest = known ?? Row.Last, Digest = digest };
        return (Row.Newest, edits.Sum(edit => edit.Add), edits.Sum(edit => edit.Remove));
    }

    /// <summary>Writes what has changed.</summary>
    public async Task Save(CancellationToken cancel)
    {
        if (Row.Last - 1 - Row.Packed >= FoldAt)
        {
            await Fold(_ => true, cancel);
        }

        var (device, platforms) = (Row.DeviceId.Value, Row.Platforms);
        FormattableString whole = _added
            ? (FormattableString)$", whole = {seal.Seal(Place($"whole|{Row.Last}"), Delta.Squeeze(TextLines.Bytes(Whole())))}" : $"";
        db.SendWithNext(
            $"""
            update history.device set platforms = {platforms}, newest = {Row.Newest}, digest = {Row.Digest}, last = {Row.Last},
              packed = {Row.Packed}{whole}
            where tenant_id = {tenant.Value} and device_id = {device}
            """);
    }

    /// <summary>Takes note of the platform that the device had.</summary>
    public bool Had(string platform)
    {
        if (Row.Platforms.Contains(platform, StringComparer.Ordinal))
        {
            return false;
        }

        Row = Row with { Platforms = [.. Row.Platforms, platform] };
        return true;
    }

    /// <summary>The text of this number.</summary>
    public async Task<string[]> Read(int version, CancellationToken cancel)
    {
        if (version == Row.Last)
        {
            return Whole();
        }

        if (version > Row.Packed)
        {
            return (await Loose(version - 1, cancel))[^1].Lines;
        }

        var packs = await db.Query<PackRow>(
            $"""
            select last, versions, digests, box from history.pack
            where tenant_id = {tenant.Value} and device_id = {Row.DeviceId.Value} and {version} = any (versions)
            """,
            cancel);
        return Open(packs.Single()).First(kept => kept.Version == version).Lines;
    }

    /// <summary>Drops every text but these, the newest and the last.</summary>
    public async Task Forget(HashSet<int> used, CancellationToken cancel)
    {
        var (device, kept) = (Row.DeviceId.Value, used.Append(Row.Newest).ToArray());
        if (Enumerable.Range(Row.Packed + 1, Row.Last - 1 - Row.Packed).Any(version => !kept.Contains(version)))
        {
            await Fold(version => kept.Contains(version), cancel);
        }

        var packs = await db.Query<PackRow>(
            $"""
            select last, versions, digests, box from history.pack
            where tenant_id = {tenant.Value} and device_id = {device} and not versions <@ {kept}
            """,
            cancel);
        foreach (var pack in packs)
        {
            Replace(pack.Last, [.. Open(pack).Where(each => kept.Contains(each.Version))]);
        }
    }

    private string[] Whole() =>
        _whole ??= TextLines.Of(Delta.Stretch(seal.Open(Place($"whole|{Row.Last}"), Row.Whole)));

    private async Task<int?> Find(Guid digest, CancellationToken cancel)
    {
        if (Row.Newest != Row.Last && digest == WholeDigest())
        {
            return Row.Last;
        }

        var (tenantId, device) = (tenant.Value, Row.DeviceId.Value);
        return await db.Scalar<int?>(
            $"""
            select version as "Value" from history.version where tenant_id = {tenantId} and device_id = {device} and digest = {digest}
            union all
            select versions[array_position(digests, {digest})] from history.pack
            where tenant_id = {tenantId} and device_id = {device} and {digest} = any (digests)
            """,
            cancel);
    }

    /// <param name="back">From these lines to the ones that were last.</param>
    private void Add(string[] lines, IEnumerable<Edit> back)
    {
        var box = seal.Seal(Place($"delta|{Row.Last}"), Delta.Squeeze(Delta.Of(back, Whole())));
        db.SendWithNext(
            $"""
            insert into history.version (tenant_id, device_id, version, digest, delta)
            values ({tenant.Value}, {Row.DeviceId.Value}, {Row.Last}, {WholeDigest()}, {box})
            """);
        (_whole, _added) = (lines, true);
        Row = Row with { Last = Row.Last + 1 };
    }

    private Guid WholeDigest() =>
        Row.Newest == Row.Last ? Row.Digest : Digest(tenant, Row.DeviceId, seal, TextLines.Bytes(Whole()));

    /// <summary>The texts above this number that are in no pack, but for the last one; the latest first.</summary>
    private async Task<List<Kept>> Loose(int above, CancellationToken cancel)
    {
        var rows = await db.Query<VersionRow>(
            $"""
            select version, digest, delta from history.version
            where tenant_id = {tenant.Value} and device_id = {Row.DeviceId.Value} and version > {above} order by version desc
            """,
            cancel);
        var (texts, lines) = (new List<Kept>(rows.Count), Whole());
        foreach (var (version, digest, delta) in rows)
        {
            lines = Delta.Apply(lines, Delta.Stretch(seal.Open(Place($"delta|{version}"), delta)));
            texts.Add(new Kept(version, digest, lines));
        }

        return texts;
    }

    /// <summary>Puts those of the loose texts that are kept into a pack.</summary>
    private async Task Fold(Func<int, bool> keeps, CancellationToken cancel)
    {
        var texts = (await Loose(Row.Packed, cancel)).FindAll(text => keeps(text.Version));
        var packs = await db.Query<PackRow>(
            $"""
            select last, versions, digests, box from history.pack
            where tenant_id = {tenant.Value} and device_id = {Row.DeviceId.Value} and cardinality(versions) + {texts.Count} <= {PackOf}
            order by last desc limit 1
            """,
            cancel);
        if (packs is [var open])
        {
            texts.AddRange(Open(open));
        }

        db.SendWithNext(
            $"""
            delete from history.version
            where tenant_id = {tenant.Value} and device_id = {Row.DeviceId.Value} and version > {Row.Packed}
            """);
        Replace(packs.FirstOrDefault()?.Last, texts);
        Row = Row with { Packed = Row.Last - 1 };
    }

    private IEnumerable<Kept> Open(PackRow pack) => Delta.Unpack(seal.Open(Place($"pack|{pack.Last}"), pack.Box))
        .Zip(pack.Versions.Zip(pack.Digests), (lines, named) => new Kept(named.First, named.Second, lines));

    private void Replace(int? pack, List<Kept> texts)
    {
        var device = Row.DeviceId.Value;
        if (pack is { } old)
        {
            db.SendWithNext($"delete from history.pack where tenant_id = {tenant.Value} and device_id = {device} and last = {old}");
        }

        if (texts.Count == 0)
        {
            return;
        }

        int[] versions = [.. texts.Select(text => text.Version)];
        Guid[] digests = [.. texts.Select(text => text.Digest)];
        var box = seal.Seal(Place($"pack|{versions[0]}"), Delta.Pack([.. texts.Select(text => text.Lines)]));
        db.SendWithNext(
            $"""
            insert into history.pack (tenant_id, device_id, last, versions, digests, box)
            values ({tenant.Value}, {device}, {versions[0]}, {versions}, {digests}, {box})
            """);
    }

    private string Place(string what) => $"{tenant}|{Row.DeviceId}|{what}";

    private sealed record Kept(int Version, Guid Digest, string[] Lines);

    private sealed record VersionRow(int Version, Guid Digest, byte[] Delta);

    private sealed record PackRow(int Last, int[] Versions, Guid[] Digests, byte[] Box);
}
