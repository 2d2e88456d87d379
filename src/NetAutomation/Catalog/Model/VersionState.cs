namespace NetAutomation.Catalog.Model;

/// <summary>
/// A deprecated version runs where it is named, and where no other one is left. A withdrawn version starts no new run. What ran keeps its
/// record.
/// </summary>
internal enum VersionState
{
    Published,
    Deprecated,
    Withdrawn,
}
