namespace NetAutomation.Catalog.Model;

/// <summary>A withdrawn version starts no new run; what ran keeps its record.</summary>
internal enum VersionState
{
    Published,
    Withdrawn,
}
