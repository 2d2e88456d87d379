namespace NetAutomation.Catalog.Model;

internal sealed class BlockFile
{
    public required string Slug { get; init; }

    public required string Version { get; init; }

    public required string Path { get; init; }

    public required byte[] Content { get; init; }
}
