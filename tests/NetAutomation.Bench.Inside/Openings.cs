namespace NetAutomation.Bench.Inside;

/// <summary>What a bench wants opened in the service.</summary>
/// <param name="Tenant">Whose connectors and customers come.</param>
/// <param name="Site">Where the devices are.</param>
/// <param name="Device">The device that every stream is for.</param>
/// <param name="Run">The run that holds it.</param>
/// <param name="Doors">Pairs of a port to open and the device's port behind it.</param>
/// <param name="CustomerPort">A customer listener that wants no PROXY header; 0 for none.</param>
internal sealed record Openings(Guid Tenant, Guid Site, Guid Device, Guid Run, int[][] Doors, int CustomerPort);
