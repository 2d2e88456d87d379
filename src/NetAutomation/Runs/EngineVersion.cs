namespace NetAutomation.Runs;

/// <summary>
/// Which engine a process has: the service's version, and a digest over the programs that play blocks. Quotes, runs and receipts carry it.
/// </summary>
/// <param name="Value">Semantic version with build metadata (semver.org, item 10), such as <c>1.2.0+0123456789ab</c>.</param>
internal sealed record EngineVersion(string Value);
