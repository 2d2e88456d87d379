namespace NetAutomation.History.Store;

/// <summary>Lines that stay, then lines of the one text that go, then lines of the other that come.</summary>
internal sealed record Edit(int Keep, int Remove, int Add)
{
    /// <summary>The way back.</summary>
    public Edit Back => this with { Remove = Add, Add = Remove };
}

/// <summary>The shortest way from one text to another (Myers, "An O(ND) difference algorithm").</summary>
internal static class LineDiff
{
    // Above it the texts have little in common, and the search for the shortest way would take long.
    private const int Most = 1000;

    // Above it the search would take much room: it numbers every line between the first difference and the last.
    private const int MostLines = 1 << 19;

    /// <summary>The edits in order; what follows the last one stays.</summary>
    public static List<Edit> Between(TextLines from, TextLines to)
    {
        var (begin, end) = (0, 0);
        while (begin < Math.Min(from.Count, to.Count) && from[begin].SequenceEqual(to[begin]))
        {
            begin++;
        }

        while (end < Math.Min(from.Count, to.Count) - begin && from[from.Count - end - 1].SequenceEqual(to[to.Count - end - 1]))
        {
            end++;
        }

        var edits = new List<Edit>();
        var (keep, x, y) = (begin, 0, 0);
        foreach (var (matchX, matchY) in Matches(from, to, begin, end))
        {
            if (matchX > x || matchY > y)
            {
                edits.Add(new Edit(keep, matchX - x, matchY - y));
                keep = 0;
            }

            (keep, x, y) = (keep + 1, matchX + 1, matchY + 1);
        }

        var (restX, restY) = (from.Count - end - begin - x, to.Count - end - begin - y);
        if (restX > 0 || restY > 0)
        {
            edits.Add(new Edit(keep, restX, restY));
        }

        return edits;
    }

    /// <summary>The middles as numbers, equal where the lines are.</summary>
    private static (int[] Left, int[] Right) Numbers(TextLines from, TextLines to, int begin, int end)
    {
        var known = new Dictionary<int, int>(new SameLine(from, to));
        int Number(int line)
        {
            if (!known.TryGetValue(line, out var number))
            {
                known[line] = number = known.Count;
            }

            return number;
        }

        return (
            [.. Enumerable.Range(begin, from.Count - begin - end).Select(Number)],
            [.. Enumerable.Range(begin, to.Count - begin - end).Select(line => Number(~line))]);
    }

    private static List<(int X, int Y)> Matches(TextLines from, TextLines to, int begin, int end)
    {
        var (lines, others) = (from.Count - begin - end, to.Count - begin - end);
        if (lines == 0 || others == 0 || lines + others > MostLines)
        {
            return [];
        }

        var (left, right) = Numbers(from, to, begin, end);
        return Matches(left, right);
    }

    private static List<(int X, int Y)> Matches(int[] left, int[] right)
    {
        var matches = new List<(int, int)>();
        var most = Math.Min(Most, left.Length + right.Length);
        var reach = new int[(2 * most) + 3];
        var steps = new List<int[]>();
        for (var depth = 0; depth <= most; depth++)
        {
            for (var k = -depth; k <= depth; k += 2)
            {
                var x = Down(reach, most, k, depth) ? reach[most + 2 + k] : reach[most + k] + 1;
                while (x < left.Length && x - k < right.Length && left[x] == right[x - k])
                {
                    x++;
                }

                reach[most + 1 + k] = x;
                if (x >= left.Length && x - k >= right.Length)
                {
                    Back(steps, most, left.Length, right.Length, matches);
                    return matches;
                }
            }

            steps.Add(reach[(most + 1 - depth)..(most + 2 + depth)]);
        }

        return matches;
    }

    private static bool Down(int[] reach, int most, int k, int depth) =>
        k == -depth || (k != depth && reach[most + k] < reach[most + 2 + k]);

    /// <param name="steps">For each depth, how far its diagonals reached.</param>
    private static void Back(List<int[]> steps, int most, int x, int y, List<(int X, int Y)> matches)
    {
        var reach = new int[(2 * most) + 3];
        for (var depth = steps.Count; depth > 0; depth--)
        {
            steps[depth - 1].CopyTo(reach, most + 2 - depth);
            var k = x - y;
            var before = Down(reach, most, k, depth) ? k + 1 : k - 1;
            var (fromX, fromY) = (reach[most + 1 + before], reach[most + 1 + before] - before);
            while (x > fromX && y > fromY)
            {
                matches.Add((--x, --y));
            }

            (x, y) = (fromX, fromY);
        }

        while (x > 0 && y > 0)
        {
            matches.Add((--x, --y));
        }

        matches.Reverse();
    }

    /// <summary>Lines by their numbers; those of the other text by the complements of theirs.</summary>
    private sealed class SameLine(TextLines from, TextLines to) : IEqualityComparer<int>
    {
        public bool Equals(int x, int y) => Line(x).SequenceEqual(Line(y));

        public int GetHashCode(int obj)
        {
            var hash = new HashCode();
            hash.AddBytes(Line(obj));
            return hash.ToHashCode();
        }

        private ReadOnlySpan<byte> Line(int line) => line < 0 ? to[~line] : from[line];
    }
}
