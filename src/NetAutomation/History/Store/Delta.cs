using System.IO.Compression;
using System.Text;

namespace NetAutomation.History.Store;

/// <summary>Texts and differences between them as bytes.</summary>
internal static class Delta
{
    private const int Window = 22;

    // The whole text is written anew for each change, a pack seldom.
    private const int Fast = 2;
    private const int Small = 6;

    /// <summary>What makes one text of another.</summary>
    public static byte[] Of(string[] from, string[] to) => Of(LineDiff.Between(from, to), to);

    /// <summary>The same, where the edits are known.</summary>
    public static byte[] Of(IEnumerable<Edit> edits, string[] to)
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
            for (var i = 0; i < edit.Add; i++)
            {
                writer.Write(Encoding.Latin1.GetBytes(to[at++]));
                writer.Write((byte)'\n');
            }
        }

        writer.Flush();
        return bytes.ToArray();
    }

    /// <summary>The other text.</summary>
    public static string[] Apply(string[] from, ReadOnlySpan<byte> delta)
    {
        var (lines, at) = (new List<string>(from.Length + 8), 0);
        while (delta.Length > 0)
        {
            var keep = Number(ref delta);
            lines.AddRange(from.AsSpan(at, keep));
            at += keep + Number(ref delta);
            for (var add = Number(ref delta); add > 0; add--)
            {
                var end = delta.IndexOf((byte)'\n');
                lines.Add(Encoding.Latin1.GetString(delta[..end]));
                delta = delta[(end + 1)..];
            }
        }

        lines.AddRange(from.AsSpan(at));
        return [.. lines];
    }

    /// <summary>The texts in one piece: the first whole, each other one as a difference to the one before it.</summary>
    public static byte[] Pack(IReadOnlyList<string[]> texts)
    {
        using var bytes = new MemoryStream();
        using var writer = new BinaryWriter(bytes);
        for (var i = 0; i < texts.Count; i++)
        {
            var part = i == 0 ? TextLines.Bytes(texts[0]) : Of(texts[i - 1], texts[i]);
            writer.Write7BitEncodedInt(part.Length);
            writer.Write(part);
        }

        writer.Flush();
        return Squeeze(bytes.ToArray(), Small);
    }

    /// <summary>The texts of a piece, one after the other.</summary>
    public static IEnumerable<string[]> Unpack(byte[] pack)
    {
        ReadOnlyMemory<byte> rest = Stretch(pack);
        string[]? text = null;
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
