namespace NetAutomation.History;

/// <summary>The device of a configuration.</summary>
/// <param name="Platform">What the device was when it was read.</param>
/// <param name="Version">Number of its text.</param>
internal sealed record ConfigOwner(DeviceId DeviceId, string Platform, int Version);
