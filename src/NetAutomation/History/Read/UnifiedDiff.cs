using System.Globalization;
using System.Text;
using NetAutomation.History.Store;

namespace NetAutomation.History.Read;

/// <summary>Differences in the unified form of diff(1).</summary>
internal static class UnifiedDiff
{
    private const int Context = 3;

    /// <param name="shown">A line as it may be shown.</param>
    /// <returns>Empty where there is no difference.</returns>
    public static string Of(
        TextLines from, TextLines to, List<Edit> edits, Func<string, string> shown, string fromName, string toName)
    {
        var text = new StringBuilder();
        var (x, y) = (0, 0);
        for (var i = 0; i < edits.Count;)
        {
            (x, y) = (x + edits[i].Keep, y + edits[i].Keep);
            var lead = Math.Min(Context, x);
            var (beginX, beginY, body) = (x - lead, y - lead, new StringBuilder());
            Lines(body, ' ', from, x - lead, lead, shown);
            while (true)
            {
                Lines(body, '-', from, x, edits[i].Remove, shown);
                Lines(body, '+', to, y, edits[i].Add, shown);
                (x, y) = (x + edits[i].Remove, y + edits[i].Add);
                if (++i == edits.Count || edits[i].Keep > 2 * Context)
                {
                    break;
                }

                Lines(body, ' ', from, x, edits[i].Keep, shown);
                (x, y) = (x + edits[i].Keep, y + edits[i].Keep);
            }

            // The line after the last line's end is none.
            var trail = Math.Max(Math.Min(Context, from.Shown - x), 0);
            Lines(body, ' ', from, x, trail, shown);
            text.Append(
                CultureInfo.InvariantCulture,
                $"@@ -{Range(beginX, x + trail - beginX)} +{Range(beginY, y + trail - beginY)} @@\n").Append(body);
        }

        return text.Length == 0 ? "" : $"--- {fromName}\n+++ {toName}\n{text}";
    }

    // As diff(1) has it, an empty range names the line before it.
    private static string Range(int begin, int count) =>
        string.Create(CultureInfo.InvariantCulture, $"{(count == 0 ? begin : begin + 1)},{count}");

    private static void Lines(StringBuilder text, char sign, TextLines lines, int line, int count, Func<string, string> shown)
    {
        for (var end = line + count; line < end; line++)
        {
            text.Append(sign).Append(shown(lines.Show(line))).Append('\n');
        }
    }
}
