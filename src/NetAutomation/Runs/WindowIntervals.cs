namespace NetAutomation.Runs;

/// <summary>A time in which a window is open; its end is outside.</summary>
internal sealed record WindowInterval(DateTimeOffset Start, DateTimeOffset End);

/// <summary>The intervals of a window that are written ahead: in order, and two that touch are one.</summary>
/// <param name="Until">Every interval that starts up to this instant is among them.</param>
internal sealed record WindowIntervals(IReadOnlyList<WindowInterval> Items, DateTimeOffset Until)
{
    /// <summary>Rows of one window. The densest, open every other minute, is known for some 16 hours with them.</summary>
    public const int Most = 500;

    /// <summary>The intervals that begin at these starts, ascending, up to an instant or until there are <see cref="Most"/>.</summary>
    public static WindowIntervals From(IEnumerable<DateTimeOffset> starts, TimeSpan length, DateTimeOffset until)
    {
        var items = new List<WindowInterval>();
        foreach (var start in starts.TakeWhile(start => start <= until))
        {
            if (items is [.., var last] && start <= last.End)
            {
                items[^1] = last with { End = start + length };
            }
            else if (items.Count < Most)
            {
                items.Add(new(start, start + length));
            }
            else
            {
                return new(items, start.AddMilliseconds(-1));
            }
        }

        return new(items, until);
    }

    /// <summary>The end of the interval that holds this instant, where there is one.</summary>
    public DateTimeOffset? OpenUntil(DateTimeOffset at) =>
        Before(at) is var before and > 0 && at < Items[before - 1].End ? Items[before - 1].End : null;

    /// <summary>The first start after this instant.</summary>
    public DateTimeOffset? NextStart(DateTimeOffset at) => Before(at) is var before && before < Items.Count ? Items[before].Start : null;

    /// <summary>How many of them start up to this instant.</summary>
    private int Before(DateTimeOffset at)
    {
        var (low, high) = (0, Items.Count);
        while (low < high)
        {
            var middle = (low + high) / 2;
            (low, high) = Items[middle].Start <= at ? (middle + 1, high) : (low, middle);
        }

        return low;
    }
}
