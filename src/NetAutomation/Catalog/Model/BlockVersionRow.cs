namespace NetAutomation.Catalog.Model;

internal sealed record BlockVersionRow(
    string Slug,
    string Version,
    int Major,
    int Minor,
    int Patch,
    string Digest,
    string Title,
    string Summary,
    Effect Effect,
    string[] Platforms,
    string[] Artifacts,
    string InputSchema,
    string? Result,
    string Lacks,
    string Readme,
    VersionState State,
    DateTimeOffset PublishedAt);
