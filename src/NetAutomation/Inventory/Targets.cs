namespace NetAutomation.Inventory;

/// <summary>The devices of a run or a test: exactly one of the three.</summary>
/// <param name="DeviceIds">1 to 10,000 devices, each once, in the order in which a run takes them.</param>
/// <param name="Selector">Label selector in Kubernetes' grammar, for example <c>site=ams,role in (edge,core),!lab</c>.</param>
/// <param name="All"><c>true</c>: every device.</param>
public sealed record Targets(IReadOnlyList<DeviceId>? DeviceIds = null, string? Selector = null, bool? All = null);

/// <summary>A device that targets resolved to.</summary>
/// <param name="HostKeyPinned">Its SSH host key is known.</param>
/// <param name="Enabled">False: no run takes it.</param>
internal sealed record TargetDevice(
    DeviceId DeviceId, string Name, SiteId SiteId, string Platform, bool HostKeyPinned, bool Enabled = true);
