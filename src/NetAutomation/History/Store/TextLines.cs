using System.Text;

namespace NetAutomation.History.Store;

/// <summary>
/// A text as its lines. They are bytes, so that those which are no UTF-8 are kept, too, and a line takes four bytes besides its own,
/// however short it is.
/// </summary>
internal sealed class TextLines
{
    // Every line has an end here, also the last one, whose end is no part of the text.
    private readonly ReadOnlyMemory<byte> _ended;
    private readonly int[] _begins;

    private TextLines(ReadOnlyMemory<byte> ended)
    {
        var bytes = ended.Span;
        (_ended, _begins) = (ended, new int[bytes.Count((byte)'\n') + 1]);
        var at = 0;
        for (var line = 1; line < _begins.Length; line++)
        {
            _begins[line] = at += bytes[at..].IndexOf((byte)'\n') + 1;
        }
    }

    /// <summary>How many there are; the last one is empty where the text ends with the end of a line.</summary>
    public int Count => _begins.Length - 1;

    /// <summary>How many there are for a person: none follows the last line's end.</summary>
    public int Shown => this[Count - 1].IsEmpty ? Count - 1 : Count;

    /// <summary>The text.</summary>
    public ReadOnlySpan<byte> Bytes => _ended.Span[..^1];

    /// <summary>A line without its end.</summary>
    public ReadOnlySpan<byte> this[int line] => _ended.Span[_begins[line]..(_begins[line + 1] - 1)];

    /// <summary>The lines of a text.</summary>
    public static TextLines Of(ReadOnlySpan<byte> text)
    {
        var ended = new byte[text.Length + 1];
        text.CopyTo(ended);
        ended[^1] = (byte)'\n';
        return new TextLines(ended);
    }

    /// <summary>Lines that all have an end.</summary>
    public static TextLines Ended(ReadOnlyMemory<byte> lines) => new(lines);

    /// <summary>Lines with their ends.</summary>
    public ReadOnlySpan<byte> Range(int line, int count) => _ended.Span[_begins[line].._begins[line + count]];

    /// <summary>A line for a person.</summary>
    public string Show(int line) => Encoding.UTF8.GetString(this[line]);
}
