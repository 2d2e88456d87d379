namespace NetAutomation.Catalog.Model;

internal sealed class BlockVersionRow
{
    public required string Slug { get; init; }

    public required string Version { get; init; }

    public required int Major { get; init; }

    public required int Minor { get; init; }

    public required int Patch { get; init; }

    public required string Digest { get; init; }

    public required string Title { get; init; }

    public required string Summary { get; init; }

    public required Effect Effect { get; init; }

    public required string[] Platforms { get; init; }

    public required string[] Artifacts { get; init; }

    public required string InputSchema { get; init; }

    public string? Result { get; init; }

    public required string Readme { get; init; }

    public required VersionState State { get; init; }

    public required DateTimeOffset PublishedAt { get; init; }
}
