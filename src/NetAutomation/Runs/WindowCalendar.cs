using NetAutomation.Web.Calendar;
using NetAutomation.Web.Evaluation;

namespace NetAutomation.Runs;

/// <summary>A window that keeps a device from being worked on at some instant.</summary>
/// <param name="Deny">Inside a deny window; else outside every allow window that applies, of which this is one.</param>
internal sealed record WindowGate(WindowId Window, string Name, bool Deny, DeviceId Device);

/// <summary>A maintenance window. Its rule is evaluated only for the time after the intervals that are written ahead.</summary>
/// <param name="devices">Null: every device.</param>
internal sealed class MaintenanceWindow(
    WindowId id, string name, bool deny, Recurrence starts, TimeSpan length, IReadOnlySet<DeviceId>? devices, WindowIntervals known)
{
    // More starts than this within its length, and the last one is looked for in ever longer times before the instant.
    private const int Dense = 64;
    private static readonly int[] _lookBack = [1, 8, 64, 512, 4096, int.MaxValue];
    private Gap? _gap;

    public WindowId Id => id;

    public string Name => name;

    public bool Deny => deny;

    /// <summary>The end of the interval that holds this instant, where there is one. Another one may begin there.</summary>
    public DateTimeOffset? OpenUntil(DateTimeOffset at, EvaluationBudget budget) => at < known.Until
        ? known.OpenUntil(at)
        : Around(at, budget).Last is { } last && last + length > at ? last + length : null;

    /// <summary>The next start of a window that is closed.</summary>
    public DateTimeOffset? NextStart(DateTimeOffset at, EvaluationBudget budget) =>
        at < known.Until ? known.NextStart(at) ?? Around(known.Until, budget).Next : Around(at, budget).Next;

    public bool Covers(DeviceId device) => devices?.Contains(device) ?? true;

    /// <summary>The starts before and after an instant. One answer serves for all instants up to the next start.</summary>
    private Gap Around(DateTimeOffset at, EvaluationBudget budget)
    {
        if (_gap is { } gap && gap.From <= at && !(gap.Next <= at))
        {
            return gap;
        }

        _gap = Look(at, length, Dense, budget);
        var tried = 0;
        while (_gap is null)
        {
            var minutes = _lookBack[tried++];
            var back = minutes < length.TotalMinutes ? TimeSpan.FromMinutes(minutes) : length;
            _gap = Look(at, back, int.MaxValue, budget) is { Last: not null } found ? found : null;
        }

        return _gap;
    }

    /// <summary>Null where there are more starts than these in the time before the instant.</summary>
    private Gap? Look(DateTimeOffset at, TimeSpan back, int most, EvaluationBudget budget)
    {
        DateTimeOffset? last = null;
        foreach (var start in starts.After(at - back, budget))
        {
            if (start > at)
            {
                return new Gap(at, last, start);
            }

            if (most-- == 0)
            {
                return null;
            }

            last = start;
        }

        return new Gap(at, last, null);
    }

    /// <summary>No start between an instant and the next start.</summary>
    /// <param name="Last">The last one up to the instant; null where it was longer ago than the window lasts.</param>
    /// <param name="Next">Null: there is none.</param>
    private sealed record Gap(DateTimeOffset From, DateTimeOffset? Last, DateTimeOffset? Next);
}

/// <summary>The windows of a tenant, for any time to come, and devices that are asked about. A claim checks the same, from rows.</summary>
internal sealed class WindowCalendar
{
    private const int MostSteps = 1000;
    private static readonly TimeSpan _horizon = TimeSpan.FromDays(731);
    private readonly IReadOnlyList<MaintenanceWindow> _windows;
    private readonly IReadOnlyList<DeviceId> _devices;
    private readonly EvaluationBudget _budget;
    private readonly Kind[] _kinds;
    private readonly Kind[] _distinct;
    private Search? _last;

    /// <param name="devices">In the order in which their gates are wanted.</param>
    /// <param name="budget">For everything that the calendar is asked.</param>
    public WindowCalendar(IReadOnlyList<MaintenanceWindow> windows, IReadOnlyList<DeviceId> devices, EvaluationBudget budget)
    {
        (_windows, _devices, _budget) = (windows, devices, budget);
        var kinds = new Dictionary<string, Kind>(StringComparer.Ordinal);
        _kinds = new Kind[devices.Count];
        for (var i = 0; i < devices.Count; i++)
        {
            // A look into a set costs less than a date.
            budget.Step(1 + (windows.Count / 16));
            var covering = string.Create(windows.Count, devices[i], (text, device) =>
            {
                for (var n = 0; n < text.Length; n++)
                {
                    text[n] = windows[n].Covers(device) ? '1' : '0';
                }
            });
            if (!kinds.TryGetValue(covering, out var kind))
            {
                kinds[covering] = kind = new Kind(i, [.. windows.Where((_, n) => covering[n] == '1')]);
            }

            _kinds[i] = kind;
        }

        _distinct = [.. kinds.Values];
    }

    /// <summary>The windows that keep the devices from being worked on at this instant.</summary>
    public IEnumerable<WindowGate> Gates(DateTimeOffset at)
    {
        var closed = Closed(at);
        for (var i = closed.Count == 0 ? _devices.Count : closed.Keys.Min(kind => kind.First); i < _devices.Count; i++)
        {
            if (closed.TryGetValue(_kinds[i], out var window))
            {
                yield return new WindowGate(window.Id, window.Name, window.Deny, _devices[i]);
            }
        }
    }

    /// <summary>The first instant from this one on at which no window keeps any of the devices. Null: none within two years.</summary>
    public DateTimeOffset? NextOpen(DateTimeOffset from)
    {
        if (_last is { } last && last.From <= from && from < last.Until)
        {
            return last.Answer;
        }

        var at = from;
        for (var i = 0; i < MostSteps && at - from < _horizon; i++)
        {
            var closed = Closed(at);
            if (closed.Count == 0)
            {
                _last = new Search(from, at, at);
                return at;
            }

            var next = closed.Select(each => Reopens(each.Key, each.Value, at)).ToList();
            if (next.Contains(null))
            {
                break;
            }

            at = next.Max()!.Value;
        }

        _last = new Search(from, at, null);
        return null;
    }

    /// <summary>The kinds of devices that a window keeps, each with that window.</summary>
    private Dictionary<Kind, MaintenanceWindow> Closed(DateTimeOffset at)
    {
        var open = _windows.Where(window => window.OpenUntil(at, _budget) is not null).Select(window => window.Id).ToHashSet();
        var closed = new Dictionary<Kind, MaintenanceWindow>();
        foreach (var kind in _distinct)
        {
            _budget.Step(1 + (kind.Windows.Count / 16));
            var window = kind.Windows.Find(window => window.Deny && open.Contains(window.Id))
                ?? (kind.Windows.Exists(window => !window.Deny && open.Contains(window.Id))
                    ? null : kind.Windows.Find(window => !window.Deny));
            if (window is not null)
            {
                closed.Add(kind, window);
            }
        }

        return closed;
    }

    private DateTimeOffset? Reopens(Kind kind, MaintenanceWindow gate, DateTimeOffset at) => gate.Deny
        ? gate.OpenUntil(at, _budget)
        : kind.Windows.Where(window => !window.Deny).Min(window => window.NextStart(at, _budget));

    /// <summary>Devices that the same windows cover: one stands for all of them.</summary>
    /// <param name="first">Where the first of them is among the devices.</param>
    private sealed class Kind(int first, List<MaintenanceWindow> windows)
    {
        public int First => first;

        public List<MaintenanceWindow> Windows => windows;
    }

    /// <summary>From one instant to another, no instant is free; the answer is the same for all of them.</summary>
    private sealed record Search(DateTimeOffset From, DateTimeOffset Until, DateTimeOffset? Answer);
}
