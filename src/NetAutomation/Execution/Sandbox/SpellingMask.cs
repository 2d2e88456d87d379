using System.Buffers;
using System.Text;

namespace NetAutomation.Execution.Sandbox;

/// <summary>
/// Masks every occurrence of many texts in one pass, whose work grows with the text and hardly with how many are looked for. Where
/// occurrences overlap, one mask covers them all.
/// </summary>
internal sealed class SpellingMask
{
    // So much of each is looked for at once; few texts have it by chance.
    private const int Beginning = 6;

    // For each character of the text. Nothing but a text that nearly repeats a long secret again and again needs a tenth of it.
    private const int MostWork = 256;
    private readonly string[] _spellings;

    // For each spelling the place of the longest other one that it begins with, or -1.
    private readonly int[] _inner;
    private readonly SearchValues<string> _beginnings;

    public SpellingMask(IEnumerable<string> spellings)
    {
        _spellings = [.. spellings.Where(spelling => spelling.Length > 0).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)];
        Longest = _spellings.Select(spelling => spelling.Length).DefaultIfEmpty().Max();
        _inner = new int[_spellings.Length];
        for (var i = 0; i < _spellings.Length; i++)
        {
            var inner = i - 1;
            while (inner >= 0 && !_spellings[i].StartsWith(_spellings[inner], StringComparison.Ordinal))
            {
                inner = _inner[inner];
            }

            _inner[i] = inner;
        }

        _beginnings = SearchValues.Create(
            [.. _spellings.Select(spelling => spelling[..Math.Min(Beginning, spelling.Length)]).Distinct(StringComparer.Ordinal)],
            StringComparison.Ordinal);
    }

    public int Longest { get; }

    /// <exception cref="InvalidOperationException">The text takes more work than a text of its length may.</exception>
    public string Apply(string text, string mask)
    {
        StringBuilder? masked = null;
        var work = MostWork * (text.Length + 4096L);
        var (at, end) = (text.AsSpan().IndexOfAny(_beginnings), 0);
        while (at >= 0)
        {
            var length = LongestAt(text.AsSpan(at), ref work);
            if (length > 0)
            {
                masked ??= new StringBuilder(text.Length);
                if (at >= end)
                {
                    masked.Append(text, end, at - end).Append(mask);
                }

                end = Math.Max(end, at + length);
            }

            var next = text.AsSpan(at + 1).IndexOfAny(_beginnings);
            at = next < 0 ? -1 : at + 1 + next;
        }

        return masked is null ? text : masked.Append(text, end, text.Length - end).ToString();
    }

    // The last spelling that does not come after the text: the longest that the text begins with is this one, or one that it begins with.
    private int LongestAt(ReadOnlySpan<char> text, ref long work)
    {
        var (low, high, common) = (0, _spellings.Length, 0);
        while (low < high)
        {
            var middle = (low + high) / 2;
            var spelling = _spellings[middle];
            var same = text.CommonPrefixLength(spelling);
            if (same == spelling.Length || (same < text.Length && spelling[same] < text[same]))
            {
                (low, common) = (middle + 1, same);
            }
            else
            {
                high = middle;
            }

            work -= 1 + same;
        }

        if (work < 0)
        {
            throw new InvalidOperationException("The text takes too much work.");
        }

        var found = low - 1;
        while (found >= 0 && _spellings[found].Length > common)
        {
            found = _inner[found];
        }

        return found < 0 ? 0 : _spellings[found].Length;
    }
}
