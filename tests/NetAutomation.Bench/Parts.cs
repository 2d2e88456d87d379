namespace NetAutomation.Bench;

/// <summary>The programs and folders that a bench uses.</summary>
/// <param name="Repository">The root of the checkout.</param>
/// <param name="Database">Directory of PostgreSQL's socket.</param>
/// <param name="Service">The service's program.</param>
/// <param name="Simulator">The AWS simulator's program.</param>
/// <param name="Connector">The connector's program.</param>
/// <param name="Rounds">Number of measurements of each side of a comparison.</param>
internal sealed record Parts(string Repository, string Database, string Service, string Simulator, string Connector, int Rounds);
