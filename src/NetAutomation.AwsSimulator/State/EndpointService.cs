using System.Security.Cryptography;

namespace NetAutomation.AwsSimulator.State;

internal sealed class EndpointService(ServiceOptions options, string region)
{
    private readonly Dictionary<string, int> _admitted = new(StringComparer.Ordinal);
    private readonly SortedDictionary<string, string> _principals = new(StringComparer.Ordinal);

    public string Id => options.Id;
    public string Region => region;
    public string Name => $"com.amazonaws.vpce.{region}.{Id}";
    public string BaseDnsName => $"{Id}.{region}.vpce.amazonaws.com";
    public bool AcceptanceRequired => options.AcceptanceRequired;
    public IReadOnlyList<string> FurtherRegions => options.SupportedRegions;

    /// <summary>Null where the service has no private name.</summary>
    public PrivateDnsName? PrivateDns { get; } = options.PrivateDnsName is { } name ? new PrivateDnsName(name) : null;

    /// <summary>Principal ARN to permission id.</summary>
    public IReadOnlyDictionary<string, string> Principals => _principals;

    public bool Allow(string principal, string permissionId)
    {
        var added = _principals.TryAdd(principal, permissionId);
        if (added)
        {
            _admitted[Admitted(principal)] = _admitted.GetValueOrDefault(Admitted(principal)) + 1;
        }
        return added;
    }

    public void Disallow(string principal)
    {
        if (_principals.Remove(principal))
        {
            _admitted[Admitted(principal)]--;
        }
    }

    /// <summary>
    /// A principal admits its whole account, since the simulator does not know which role or user holds a key. An organizational unit
    /// admits nobody, since organizations are not simulated.
    /// </summary>
    public bool Admits(string account) => _admitted.GetValueOrDefault("*") > 0 || _admitted.GetValueOrDefault(account) > 0;

    public bool Reaches(string from) => from == region || FurtherRegions.Contains(from, StringComparer.Ordinal);

    private static string Admitted(string principal) =>
        principal == "*" ? "*" : principal.Split(':') is [_, _, "iam", _, var account, ..] ? account : "nobody";
}

/// <summary>pendingVerification -> (after StartVpcEndpointServicePrivateDnsVerification) verified | failed, by the TXT record.</summary>
internal sealed class PrivateDnsName(string name)
{
    public string Name => name;
    public string TxtName { get; } = "_" + RandomNumberGenerator.GetString("abcdefghijklmnopqrstuvwxyz0123456789", 19);
    public string TxtValue { get; } = "vpce:"
        + RandomNumberGenerator.GetString("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", 20);
    public string State { get; set; } = "pendingVerification";
    public string? Published { get; set; }
    public DateTimeOffset? VerifiesAt { get; set; }
}
