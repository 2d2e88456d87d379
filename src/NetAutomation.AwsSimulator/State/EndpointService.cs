namespace NetAutomation.AwsSimulator.State;

internal sealed class EndpointService(string id, string region, bool acceptanceRequired)
{
    public string Id => id;
    public string Name => $"com.amazonaws.vpce.{region}.{id}";
    public string BaseDnsName => $"{id}.{region}.vpce.amazonaws.com";
    public bool AcceptanceRequired => acceptanceRequired;

    /// <summary>Principal ARN to permission id.</summary>
    public SortedDictionary<string, string> Principals { get; } = new(StringComparer.Ordinal);

    /// <summary>Which role or user of an account holds a key is not modelled, so any principal of the account admits it.</summary>
    public bool Admits(string account) =>
        Principals.Keys.Any(p => p == "*" || (p.Split(':') is { Length: >= 6 } arn && arn[4] == account));
}
