namespace NetAutomation.Catalog;

/// <summary>Where blocks come from and where their files are unpacked.</summary>
internal sealed class CatalogOptions
{
    /// <summary>One folder per block; published at start. Absent: this process publishes nothing.</summary>
    public string? BlocksDirectory { get; set; }

    /// <summary>Versions are unpacked here, one folder per digest, writable by the service alone. Absent: a private temporary folder.</summary>
    public string? ContentDirectory { get; set; }
}
