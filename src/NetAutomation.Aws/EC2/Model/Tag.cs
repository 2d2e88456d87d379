namespace Amazon.EC2.Model;

/// <summary>A tag (EC2 API Reference, Tag).</summary>
public class Tag
{
    public string? Key { get; set; }
    public string? Value { get; set; }
}
