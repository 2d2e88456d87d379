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

    /// <summary>The edits in order; what follows the last one stays.</summary>
    public static List<Edit> Between(string[] from, string[] to)
    {
        var (begin, end) = (0, 0);
        while (begin < Math.Min(from.Length, to.Length) && from[begin] == to[begin])
        {
            begin++;
        }

        while (end < Math.Min(from.Length, to.Length) - begin && from[^(end + 1)] == to[^(end + 1)])
        {
            end++;
        }

        var edits = new List<Edit>();
        var (keep, x, y) = (begin, 0, 0);
        foreach (var (matchX, matchY) in Matches(Numbers(from, to, begin, end, out var right), right))
        {
            if (matchX > x || matchY > y)
            {
                edits.Add(new Edit(keep, matchX - x, matchY - y));
                keep = 0;
            }

            (keep, x, y) = (keep + 1, matchX + 1, matchY + 1);
        }

        var (restX, restY) = (from.Length - end - begin - x, to.Length - end - begin - y);
        if (restX > 0 || restY > 0)
        {
            edits.Add(new Edit(keep, restX, restY));
        }

        return edits;
    }

    /// <summary>The middles as numbers, equal where the lines are.</summary>
    private static int[] Numbers(string[] from, string[] to, int begin, int end, out int[] right)
    {
        var known = new Dictionary<string, int>(StringComparer.Ordinal);
        int Number(string line)
        {
            if (!known.TryGetValue(line, out var number))
            {
                known[line] = number = known.Count;
            }

            return number;
        }

        var left = Array.ConvertAll(from[begin..^end], Number);
        right = Array.ConvertAll(to[begin..^end], Number);
        return left;
    }

    private static List<(int X, int Y)> Matches(int[] left, int[] right)
    {
        var matches = new List<(int, int)>();
        if (left.Length == 0 || right.Length == 0)
        {
            return matches;
        }

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
}
