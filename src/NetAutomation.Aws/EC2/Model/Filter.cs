using NetAutomation.Aws.Wire;

namespace Amazon.EC2.Model;

/// <summary>A filter of a describe call; values are alternatives (EC2 API Reference, Filter).</summary>
public class Filter
{
    public string? Name { get; set; }
    [WireName("Value")] public List<string>? Values { get; set; }
}
