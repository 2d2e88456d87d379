namespace NetAutomation.Bench.Inside;

/// <summary>The ports that a bench opens in the service.</summary>
/// <param name="Tenant">The tenant of all connectors and customers.</param>
/// <param name="Site">The site of the devices.</param>
/// <param name="Device">The device of every stream.</param>
/// <param name="Run">The run that holds it.</param>
/// <param name="Ports">Pairs of a port to open and the port of the device behind it.</param>
/// <param name="CustomerPort">The port of a customer listener without the PROXY header; 0 for none.</param>
internal sealed record BenchSettings(Guid Tenant, Guid Site, Guid Device, Guid Run, int[][] Ports, int CustomerPort);
