namespace NetAutomation.Catalog;

/// <summary>One immutable version of a block, ready to be quoted and run.</summary>
/// <param name="Digest"><c>sha256:</c> and hex, over every file of the block.</param>
/// <param name="Directory">Where this process holds the version's files, byte for byte as published.</param>
/// <param name="InputSchema">JSON Schema of the input.</param>
/// <param name="Withdrawn">It starts no new run.</param>
internal sealed record BlockVersion(
    string Slug,
    string Version,
    int Major,
    string Digest,
    Effect Effect,
    IReadOnlyList<string> Platforms,
    IReadOnlyList<string> Artifacts,
    string Directory,
    string InputSchema,
    bool Withdrawn);
