namespace NetAutomation.Content;

/// <summary>Where content comes from and where it is unpacked (section <c>Catalog</c>).</summary>
internal sealed class ContentOptions
{
    /// <summary>One folder per platform; published at start. Absent: this process publishes no platforms.</summary>
    public string? PlatformsDirectory { get; set; }

    /// <summary>One folder per block; published at start. Absent: this process publishes no blocks.</summary>
    public string? BlocksDirectory { get; set; }

    /// <summary>
    /// Versions are unpacked here, one folder per digest, writable by the service alone. Absent: a private temporary folder.
    /// </summary>
    public string? ContentDirectory { get; set; }
}
