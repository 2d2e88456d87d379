using NetAutomation.Web.Calendar;

namespace NetAutomation.Runs;

/// <summary>A window that keeps a device from being worked on at some instant.</summary>
/// <param name="Deny">Inside a deny window; else outside every allow window that applies, of which this is one.</param>
internal sealed record WindowGate(WindowId Window, string Name, bool Deny, DeviceId Device);

/// <summary>A maintenance window.</summary>
/// <param name="Devices">Null: every device.</param>
internal sealed record MaintenanceWindow(
    WindowId Id, string Name, bool Deny, Recurrence Starts, TimeSpan Length, IReadOnlySet<DeviceId>? Devices)
{
    /// <summary>The end of the interval that holds this instant, where there is one.</summary>
    public DateTimeOffset? OpenUntil(DateTimeOffset at) =>
        Starts.After(at - Length).TakeWhile(start => start <= at).Select(start => (DateTimeOffset?)(start + Length)).LastOrDefault();

    public bool Covers(DeviceId device) => Devices?.Contains(device) ?? true;
}

/// <summary>The windows of a tenant, for any time to come. A claim checks the same, from rows written ahead.</summary>
internal sealed class WindowCalendar(IReadOnlyList<MaintenanceWindow> windows)
{
    private const int MostSteps = 1000;
    private static readonly TimeSpan _horizon = TimeSpan.FromDays(731);

    /// <summary>The windows that keep these devices from being worked on at this instant.</summary>
    public IEnumerable<WindowGate> Gates(IEnumerable<DeviceId> devices, DateTimeOffset at)
    {
        var open = windows.Where(window => window.OpenUntil(at) is not null).ToHashSet();
        foreach (var device in devices)
        {
            var covering = windows.Where(window => window.Covers(device)).ToList();
            var closed = covering.Find(window => window.Deny && open.Contains(window))
                ?? (covering.Exists(window => !window.Deny && open.Contains(window)) ? null : covering.Find(window => !window.Deny));
            if (closed is not null)
            {
                yield return new WindowGate(closed.Id, closed.Name, closed.Deny, device);
            }
        }
    }

    /// <summary>The first instant from this one on at which no window keeps any of the devices. Null: none within two years.</summary>
    public DateTimeOffset? NextOpen(IReadOnlyCollection<DeviceId> devices, DateTimeOffset from)
    {
        // One device stands for all that the same windows cover.
        var kinds = devices.GroupBy(device => string.Join(',', windows.Where(window => window.Covers(device)).Select(window => window.Id)))
            .Select(same => same.First()).ToList();
        var at = from;
        for (var i = 0; i < MostSteps && at - from < _horizon; i++)
        {
            var gates = Gates(kinds, at).ToList();
            if (gates.Count == 0)
            {
                return at;
            }

            var next = gates.Select(gate => Reopens(gate, at)).ToList();
            if (next.Contains(null))
            {
                return null;
            }

            at = next.Max()!.Value;
        }

        return null;
    }

    private DateTimeOffset? Reopens(WindowGate gate, DateTimeOffset at) => gate.Deny
        ? windows.First(window => window.Id == gate.Window).OpenUntil(at)
        : windows.Where(window => !window.Deny && window.Covers(gate.Device))
            .Min(window => window.Starts.After(at).Select(start => (DateTimeOffset?)start).FirstOrDefault());
}
