namespace NetAutomation.History.Store;

/// <summary>Texts on their way into one piece: the first whole, each other one as a difference to the one before it.</summary>
internal sealed class Pack : IDisposable
{
    /// <summary>The most that a pack holds, in plain bytes: one text has room, many small ones do, and few large ones.</summary>
    public const int Most = 16 << 20;

    private const int Small = 6;
    private readonly MemoryStream _parts = new();
    private TextLines? _last;

    /// <summary>What it holds, in plain bytes.</summary>
    public int Plain => (int)_parts.Length;

    /// <summary>Adds a text; false where it has no room beside the others.</summary>
    public bool Add(TextLines text)
    {
        var part = _last is null ? text.Bytes : Delta.Of(_last, text);
        if (_last is not null && _parts.Length + part.Length > Most)
        {
            return false;
        }

        using var writer = new BinaryWriter(_parts, System.Text.Encoding.UTF8, leaveOpen: true);
        writer.Write7BitEncodedInt(part.Length);
        writer.Write(part);
        _last = text;
        return true;
    }

    /// <summary>The piece.</summary>
    public byte[] Squeeze() => Delta.Squeeze(_parts.GetBuffer().AsSpan(0, Plain), Small);

    public void Dispose() => _parts.Dispose();
}
