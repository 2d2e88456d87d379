namespace NetAutomation.Catalog.Model;

internal sealed class Block
{
    public required string Slug { get; init; }

    public required Guid Id { get; init; }
}
