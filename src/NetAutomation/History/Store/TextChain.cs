using System.Runtime.CompilerServices;
using NetAutomation.Inventory;
using NetAutomation.Persistence;

namespace NetAutomation.History.Store;

/// <summary>A device's row, as it is stored.</summary>
/// <param name="Loose">Plain bytes of the differences that are in no pack.</param>
/// <param name="Bytes">What all its texts take, as they are stored.</param>
/// <param name="Whole">Null where it is large: it is read when it is needed.</param>
internal sealed record ChainRow(
    DeviceId DeviceId, string[] Platforms, int TenantKeyVersion, int Newest, Guid Digest, int Last, int Packed, int Loose, long Bytes,
    byte[]? Whole, int WholeBytes);

/// <summary>
/// The texts of one device. A later text is whole and earlier ones are differences, since it is the later one that is read; when there are
/// many differences they go into a pack, so that no reader goes a long way. Texts are taken one by one, so that what it needs of memory
/// does not depend on how many there are.
/// </summary>
internal sealed class TextChain(NetAutomationDb db, TenantId tenant, ChainRow row, TextSeal seal)
{
    // A pack is written anew for each fold until it is full.
    private const int FoldAt = 64;
    private const int PackOf = 256;

    // Large differences are folded at once, and are read and sent one by one.
    private const int FoldBytes = 4 << 20;
    private const int Large = 256 << 10;
    private TextLines? _whole;
    private bool _added;

    /// <summary>The row as it is now.</summary>
    public ChainRow Row { get; private set; } = row;

    /// <summary>The columns of <see cref="ChainRow"/>.</summary>
    public static FormattableString Columns =>
        $"""
        device_id, platforms, tenant_key_version, newest, digest, last, packed, loose, bytes,
        case when octet_length(whole) <= {Large} then whole end as whole, octet_length(whole) as whole_bytes
        """;

    public static Guid Digest(TenantId tenant, DeviceId device, TextSeal seal, ReadOnlySpan<byte> text) =>
        seal.Digest($"{tenant}|{device}", text);

    /// <summary>The first text of a device, sealed.</summary>
    public static byte[] First(TenantId tenant, DeviceId device, TextSeal seal, byte[] text) =>
        seal.Seal($"{tenant}|{device}|whole|1", Delta.Squeeze(text));

    /// <summary>Drops the texts of a device, whose row is locked, that none of its configs names.</summary>
    public static async Task ForgetUnused(NetAutomationDb db, TenantId tenant, ChainRow row, TextSeal seal, CancellationToken cancel)
    {
        var used = await db.Query<int>(
            $"select distinct version from history.config where tenant_id = {tenant.Value} and device_id = {row.DeviceId.Value}", cancel);
        var chain = new TextChain(db, tenant, row, seal);
        await chain.Forget([.. used], cancel);
        await chain.Save(cancel);
    }

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
            var whole = await Read(Row.Last, cancel);
            await Add(lines, whole, Row.Newest == Row.Last ? edits.Select(edit => edit.Back) : LineDiff.Between(lines, whole), cancel);
        }

        Row = Row with { Newest = known ?? Row.Last, Digest = digest };
        return (Row.Newest, edits.Sum(edit => edit.Add), edits.Sum(edit => edit.Remove));
    }

    /// <summary>Writes what has changed.</summary>
    public async Task Save(CancellationToken cancel)
    {
        if (Row.Last - 1 - Row.Packed >= FoldAt || Row.Loose >= FoldBytes)
        {
            await Fold(_ => true, cancel);
        }

        var (device, platforms, box) = (
            Row.DeviceId.Value, Row.Platforms, _added ? seal.Seal(Place($"whole|{Row.Last}"), Delta.Squeeze(_whole!.Bytes)) : null);
        FormattableString whole = box is null ? $"" : (FormattableString)$", whole = {box}";
        if (box is not null)
        {
            Row = Row with { Bytes = Row.Bytes - Row.WholeBytes + box.Length, WholeBytes = box.Length };
        }

        await Send(
            $"""
            update history.device set platforms = {platforms}, newest = {Row.Newest}, digest = {Row.Digest}, last = {Row.Last},
              packed = {Row.Packed}, loose = {Row.Loose}, bytes = {Row.Bytes}{whole}
            where tenant_id = {tenant.Value} and device_id = {device}
            """,
            box?.Length ?? 0, cancel);
        _added = false;
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
    public async Task<TextLines> Read(int version, CancellationToken cancel)
    {
        while (true)
        {
            if (await Text(version, cancel) is { } text)
            {
                return text;
            }

            // Who reads without the row's lock may find that a text has moved since the row was read.
            var rows = await db.Query<ChainRow>(
                $"select {Columns} from history.device where tenant_id = {tenant.Value} and device_id = {Row.DeviceId.Value}", cancel);
            if (rows is not [var now] || (now.Last, now.Packed, now.Bytes) == (Row.Last, Row.Packed, Row.Bytes))
            {
                throw new InvalidDataException("A text is not where it was kept.");
            }

            (Row, _whole) = (now, null);
        }
    }

    /// <summary>Drops every text but these, the newest and the last.</summary>
    private async Task Forget(HashSet<int> used, CancellationToken cancel)
    {
        var (device, kept) = (Row.DeviceId.Value, used.Append(Row.Newest).ToHashSet());
        if (Enumerable.Range(Row.Packed + 1, Row.Last - 1 - Row.Packed).Any(version => !kept.Contains(version)))
        {
            await Fold(kept.Contains, cancel);
        }

        int[] versions = [.. kept];
        var packs = await db.Query<PackHead>(
            $"""
            select last, versions, octet_length(box) as size from history.pack
            where tenant_id = {tenant.Value} and device_id = {device} and not versions <@ {versions}
            """,
            cancel);
        foreach (var pack in packs)
        {
            var rest = pack.Versions.Any(kept.Contains)
                ? await db.Query<PackRow>(
                    $"""
                    select last, versions, digests, box from history.pack
                    where tenant_id = {tenant.Value} and device_id = {device} and last = {pack.Last}
                    """,
                    cancel) : [];
            Drop(pack.Last, pack.Size);
            await Store(rest.SelectMany(Open).Where(text => kept.Contains(text.Version)).ToAsyncEnumerable(), cancel);
        }
    }

    /// <summary>The text of this number; null where it is not there as the row says.</summary>
    private async Task<TextLines?> Text(int version, CancellationToken cancel)
    {
        if (version >= Row.Last)
        {
            return version == Row.Last ? await Whole(cancel) : null;
        }

        if (version > Row.Packed)
        {
            return (await Loose(version - 1, cancel).FirstOrDefaultAsync(kept => kept.Version == version, cancel))?.Lines;
        }

        var packs = await db.Query<PackRow>(
            $"""
            select last, versions, digests, box from history.pack
            where tenant_id = {tenant.Value} and device_id = {Row.DeviceId.Value} and {version} = any (versions)
            """,
            cancel);
        return packs.SelectMany(Open).FirstOrDefault(kept => kept.Version == version)?.Lines;
    }

    /// <summary>The text that was added last; null where that is another one by now.</summary>
    private async Task<TextLines?> Whole(CancellationToken cancel)
    {
        if (_whole is null && (Row.Whole ?? await db.Scalar<byte[]>(
            $"""
            select whole as "Value" from history.device
            where tenant_id = {tenant.Value} and device_id = {Row.DeviceId.Value} and last = {Row.Last}
            """,
            cancel)) is { } box)
        {
            _whole = TextLines.Of(Delta.Stretch(seal.Open(Place($"whole|{Row.Last}"), box)));
        }

        return _whole;
    }

    private async Task<int?> Find(Guid digest, CancellationToken cancel)
    {
        if (Row.Newest != Row.Last && digest == await WholeDigest(cancel))
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
    private async Task Add(TextLines lines, TextLines last, IEnumerable<Edit> back, CancellationToken cancel)
    {
        var delta = Delta.Of(back, last);
        var box = seal.Seal(Place($"delta|{Row.Last}"), Delta.Squeeze(delta));
        await Send(
            $"""
            insert into history.version (tenant_id, device_id, version, digest, delta)
            values ({tenant.Value}, {Row.DeviceId.Value}, {Row.Last}, {await WholeDigest(cancel)}, {box})
            """,
            box.Length, cancel);
        (_whole, _added) = (lines, true);
        Row = Row with { Last = Row.Last + 1, Loose = Row.Loose + delta.Length, Bytes = Row.Bytes + box.Length };
    }

    private async Task<Guid> WholeDigest(CancellationToken cancel) =>
        Row.Newest == Row.Last ? Row.Digest : Digest(tenant, Row.DeviceId, seal, (await Read(Row.Last, cancel)).Bytes);

    /// <summary>The texts above this number that are in no pack, but for the last one; the latest first.</summary>
    private async IAsyncEnumerable<Kept> Loose(int above, [EnumeratorCancellation] CancellationToken cancel)
    {
        var (lines, below) = (await Whole(cancel), Row.Last);
        List<VersionRow> rows;
        do
        {
            rows = await db.Query<VersionRow>(
                $"""
                select version, digest, delta from (
                  select version, digest, delta, sum(octet_length(delta)) over (order by version desc) as bytes from history.version
                  where tenant_id = {tenant.Value} and device_id = {Row.DeviceId.Value} and version > {above} and version < {below}) v
                where bytes - octet_length(delta) < {FoldBytes} order by version desc
                """,
                cancel);
            foreach (var (version, digest, delta) in rows)
            {
                if (lines is null || version != below - 1)
                {
                    yield break;
                }

                lines = Delta.Apply(lines, Delta.Stretch(seal.Open(Place($"delta|{version}"), delta)));
                yield return new Kept(version, digest, lines, delta.Length);
                below = version;
            }
        }
        while (rows.Count > 0 && below - 1 > above);
    }

    /// <summary>Puts those of the loose texts that are kept into a pack, or several where they are large.</summary>
    private async Task Fold(Func<int, bool> keeps, CancellationToken cancel)
    {
        var packs = await db.Query<PackRow>(
            $"""
            select last, versions, digests, box from history.pack
            where tenant_id = {tenant.Value} and device_id = {Row.DeviceId.Value}
              and cardinality(versions) + {Row.Last - 1 - Row.Packed} <= {PackOf} and plain + {Row.Loose} <= {Pack.Most}
            order by last desc limit 1
            """,
            cancel);
        if (packs is [var open])
        {
            Drop(open.Last, open.Box.Length);
        }

        var (loose, lowest) = (0L, Row.Last);
        var texts = Loose(Row.Packed, cancel).Select(text =>
        {
            (loose, lowest) = (loose + text.Size, text.Version);
            return text;
        });
        await Store(texts.Concat(packs.SelectMany(Open).ToAsyncEnumerable()).Where(text => keeps(text.Version)), cancel);
        if (lowest != Row.Packed + 1)
        {
            throw new InvalidDataException("A text is not where it was kept.");
        }

        db.SendWithNext(
            $"""
            delete from history.version
            where tenant_id = {tenant.Value} and device_id = {Row.DeviceId.Value} and version > {Row.Packed}
            """);
        Row = Row with { Packed = Row.Last - 1, Loose = 0, Bytes = Row.Bytes - loose };
    }

    private IEnumerable<Kept> Open(PackRow pack) => Delta.Unpack(seal.Open(Place($"pack|{pack.Last}"), pack.Box))
        .Zip(pack.Versions.Zip(pack.Digests), (lines, named) => new Kept(named.First, named.Second, lines, 0));

    private void Drop(int pack, int size)
    {
        db.SendWithNext(
            $"delete from history.pack where tenant_id = {tenant.Value} and device_id = {Row.DeviceId.Value} and last = {pack}");
        Row = Row with { Bytes = Row.Bytes - size };
    }

    /// <summary>Puts texts into a pack, and into another one where it is full.</summary>
    private async Task Store(IAsyncEnumerable<Kept> texts, CancellationToken cancel)
    {
        var (pack, kept) = (new Pack(), new List<(int Version, Guid Digest)>());
        await foreach (var text in texts)
        {
            if (!pack.Add(text.Lines))
            {
                await Store(pack, kept, cancel);
                (pack, kept) = (new Pack(), []);
                pack.Add(text.Lines);
            }

            kept.Add((text.Version, text.Digest));
        }

        await Store(pack, kept, cancel);
    }

    private async Task Store(Pack pack, List<(int Version, Guid Digest)> texts, CancellationToken cancel)
    {
        using var full = pack;
        if (texts.Count == 0)
        {
            return;
        }

        int[] versions = [.. texts.Select(text => text.Version)];
        Guid[] digests = [.. texts.Select(text => text.Digest)];
        var box = seal.Seal(Place($"pack|{versions[0]}"), pack.Squeeze());
        Row = Row with { Bytes = Row.Bytes + box.Length };
        await Send(
            $"""
            insert into history.pack (tenant_id, device_id, last, versions, digests, plain, box)
            values ({tenant.Value}, {Row.DeviceId.Value}, {versions[0]}, {versions}, {digests}, {pack.Plain}, {box})
            """,
            box.Length, cancel);
    }

    /// <summary>Sends it with the next statement, unless it is large: such ones do not wait for each other.</summary>
    private Task Send(FormattableString statement, int size, CancellationToken cancel)
    {
        db.SendWithNext(statement);
        return size > Large ? db.SendDeferred(cancel) : Task.CompletedTask;
    }

    private string Place(string what) => $"{tenant}|{Row.DeviceId}|{what}";

    /// <param name="Size">Of the loose box that it came from.</param>
    private sealed record Kept(int Version, Guid Digest, TextLines Lines, int Size);

    private sealed record VersionRow(int Version, Guid Digest, byte[] Delta);

    private sealed record PackHead(int Last, int[] Versions, int Size);

    private sealed record PackRow(int Last, int[] Versions, Guid[] Digests, byte[] Box);
}
