using System.IO.Compression;

namespace NetAutomation.History.Store;

/// <summary>Texts and differences between them as bytes.</summary>
internal static class Delta
{
    private const int Window = 22;

    // The whole text is written anew for each change, a pack seldom.
    private const int Fast = 2;

    /// <summary>What makes one text of another.</summary>
    public static byte[] Of(TextLines from, TextLines to) => Of(LineDiff.Between(from, to), to);

    /// <summary>The same, where the edits are known.</summary>
    public static byte[] Of(IEnumerable<Edit> edits, TextLines to)
    {
        using var bytes = new MemoryStream();
        using var writer = new BinaryWriter(bytes);
        var at = 0;
        foreach (var edit in edits)
        {
            at += edit.Keep;
            writer.Write7BitEncodedInt(edit.Keep);
            writer.Write7BitEncodedInt(edit.Remove);
            writer.Write7BitEncodedInt(edit.Add);
            writer.Write(to.Range(at, edit.Add));
            at += edit.Add;
        }

        writer.Flush();
        return bytes.ToArray();
    }

    /// <summary>The other text.</summary>
    public static TextLines Apply(TextLines from, ReadOnlySpan<byte> delta)
    {
        using var lines = new MemoryStream(from.Bytes.Length + 1 + delta.Length);
        var at = 0;
        while (delta.Length > 0)
        {
            var keep = Number(ref delta);
            lines.Write(from.Range(at, keep));
            at += keep + Number(ref delta);
            var end = 0;
            for (var add = Number(ref delta); add > 0; add--)
            {
                end += delta[end..].IndexOf((byte)'\n') + 1;
            }

            lines.Write(delta[..end]);
            delta = delta[end..];
        }

        lines.Write(from.Range(at, from.Count - at));
        return TextLines.Ended(lines.GetBuffer().AsMemory(0, (int)lines.Length));
    }

    /// <summary>The texts of a <see cref="Pack"/>, one after the other.</summary>
    public static IEnumerable<TextLines> Unpack(byte[] pack)
    {
        ReadOnlyMemory<byte> rest = Stretch(pack);
        TextLines? text = null;
        while (rest.Length > 0)
        {
            var part = Part(ref rest);
            text = text is null ? TextLines.Of(part.Span) : Apply(text, part.Span);
            yield return text;
        }
    }

    /// <summary>In fewer bytes, with the number of all of them in front.</summary>
    public static byte[] Squeeze(ReadOnlySpan<byte> plain, int quality = Fast)
    {
        var small = new byte[BrotliEncoder.GetMaxCompressedLength(plain.Length) + 5];
        using var head = new MemoryStream(small);
        using var writer = new BinaryWriter(head);
        writer.Write7BitEncodedInt(plain.Length);
        writer.Flush();
        var at = (int)head.Position;
        return BrotliEncoder.TryCompress(plain, small.AsSpan(at), out var written, quality, Window)
            ? small[..(at + written)] : throw new InvalidOperationException("A text did not fit into the room of the largest.");
    }

    /// <summary>What was squeezed.</summary>
    public static byte[] Stretch(ReadOnlySpan<byte> small)
    {
        var plain = new byte[Number(ref small)];
        return BrotliDecoder.TryDecompress(small, plain, out var written) && written == plain.Length
            ? plain : throw new InvalidDataException("A text is not what was kept.");
    }

    private static ReadOnlyMemory<byte> Part(ref ReadOnlyMemory<byte> rest)
    {
        var span = rest.Span;
        var length = Number(ref span);
        var begin = rest.Length - span.Length;
        var part = rest.Slice(begin, length);
        rest = rest[(begin + length)..];
        return part;
    }

    private static int Number(ref ReadOnlySpan<byte> bytes)
    {
        var (number, shift) = (0, 0);
        while (true)
        {
            var next = bytes[0];
            bytes = bytes[1..];
            number |= (next & 0x7f) << shift;
            if (next < 0x80)
            {
                return number;
            }

            shift += 7;
        }
    }
}
