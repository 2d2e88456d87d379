namespace NetAutomation.Persistence;

/// <summary>A row that gets a new version with every save that changes it.</summary>
internal interface IVersioned
{
    int Version { get; set; }
}
