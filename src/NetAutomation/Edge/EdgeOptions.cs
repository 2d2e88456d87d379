using System.ComponentModel.DataAnnotations;
using System.Net;
using NetAutomation.Web;

namespace NetAutomation.Edge;

/// <summary>Where the service listens and which peers it trusts; section <c>Edge</c>.</summary>
internal sealed class EdgeOptions : IValidatableObject
{
    /// <summary>
    /// Address and port of each listener; empty turns it off. The peer listener opens only where <c>Peer:Url</c> is set or the process
    /// lacks the role api. Operators come from the same machine, unless their listener is given an address.
    /// </summary>
    public Dictionary<Listener, string> Listeners { get; } = new()
    {
        [Listener.Customer] = "0.0.0.0:8443", [Listener.Operator] = "127.0.0.1:9443", [Listener.Registration] = "0.0.0.0:8080",
        [Listener.Peer] = "0.0.0.0:9444",
    };

    /// <summary>CIDRs of the load balancer's nodes. Only they may name the endpoint of a connection.</summary>
    public string[] TrustedPeers { get; set; } = [];

    /// <summary>The name on the certificate, which clients ask for.</summary>
    [Required]
    public string ServerName { get; set; } = "netautomation.internal";

    /// <summary>Holds the certificate authority that the first start makes where no certificate is configured.</summary>
    public string CertificateDirectory { get; set; } = "";

    /// <summary>PEM with the server's certificate, then its intermediates.</summary>
    public string CertificateFile { get; set; } = "";

    public string CertificateKeyFile { get; set; } = "";

    /// <summary>PEM of the authorities that clients trust.</summary>
    public string CertificateAuthorityFile { get; set; } = "";

    /// <summary>
    /// Connections that this process has open at one time over all listeners; 0 for 20,000. Never more than half of the files it may open.
    /// </summary>
    [Range(0, 1_000_000)]
    public int MaxConnections { get; set; }

    /// <summary>Connections of one tenant at one listener of this process; never more than a quarter of all.</summary>
    [Range(1, 1_000_000)]
    public int MaxConnectionsPerTenant { get; set; } = 1000;

    /// <summary>Connections through one VPC endpoint at one listener of this process.</summary>
    [Range(1, 1_000_000)]
    public int MaxConnectionsPerEndpoint { get; set; } = 500;

    /// <summary>Descriptors that no connection gets; 0 for an eighth of those the process may open, between 64 and 1024.</summary>
    [Range(0, 1_000_000)]
    public int FreeDescriptors { get; set; }

    /// <summary>The time in which a connection has to make a call that proves its caller.</summary>
    [Range(1, 300)]
    public int ProofSeconds { get; set; } = 10;

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        foreach (var (name, value) in Listeners.Where(each => each.Value.Length > 0 && !IPEndPoint.TryParse(each.Value, out _)))
        {
            yield return new($"Edge:Listeners:{name} is an address and port such as 0.0.0.0:8443, not '{value}'.");
        }

        foreach (var peer in TrustedPeers.Where(peer => !IPNetwork.TryParse(peer, out _)))
        {
            yield return new($"Edge:TrustedPeers holds CIDRs such as 10.0.1.0/24, not '{peer}'.");
        }

        if (Listeners[Listener.Customer].Length > 0 && TrustedPeers.Length == 0)
        {
            yield return new("Edge:TrustedPeers is empty, so nobody could reach the customer listener.");
        }

        var files = new[] { CertificateFile, CertificateKeyFile, CertificateAuthorityFile };
        if (Array.Exists(files, file => file.Length > 0) && Array.Exists(files, file => file.Length == 0))
        {
            yield return new("Edge:CertificateFile, Edge:CertificateKeyFile and Edge:CertificateAuthorityFile belong together.");
        }

        if (files[0].Length == 0 && CertificateDirectory.Length == 0)
        {
            yield return new("Edge:CertificateDirectory or Edge:CertificateFile is needed.");
        }
    }
}

/// <summary>Who may use the operator API; section <c>Operator</c>.</summary>
internal sealed class OperatorOptions : IValidatableObject
{
    /// <summary>Keys of one person that may stand here at a time: the one in use and its successor.</summary>
    public const int KeysOfOne = 2;

    /// <summary>How far ahead a key may end.</summary>
    public const int LongestDays = 400;

    public OperatorKey[] Keys { get; set; } = [];

    /// <summary>A JSON file with keys, read again when it changes (<see cref="Authenticate.OperatorKeysFile"/>).</summary>
    public string KeysFile { get; set; } = "";

    /// <summary>False where a key ends so late that it never does.</summary>
    public bool EndInTime(DateTimeOffset now) => Array.TrueForAll(Keys, key => !(key.ExpiresAt > now.AddDays(LongestDays)));

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        foreach (var key in Keys)
        {
            if (key.Name.Length == 0 || !ShownText.IsShown(key.Name) || key.Sha256.Length != 64 || !key.Sha256.All(char.IsAsciiHexDigit))
            {
                yield return new($"Operator:Keys '{key.Name}' needs a Name and a Sha256 of 64 hexadecimal digits.");
            }

            if (key.Roles.Length == 0 || key.ExpiresAt is null)
            {
                yield return new($"Operator:Keys '{key.Name}' needs Roles (read, act, money) and ExpiresAt.");
            }
        }

        foreach (var person in Keys.CountBy(key => key.Name).Where(person => person.Value > KeysOfOne))
        {
            yield return new($"Operator:Keys has {person.Value} keys of '{person.Key}', and a person has at most {KeysOfOne}.");
        }

        if (Keys.Select(key => key.Sha256.ToUpperInvariant()).Distinct(StringComparer.Ordinal).Count() != Keys.Length)
        {
            yield return new("Operator:Keys has one Sha256 twice: each key is another secret.");
        }
    }
}

/// <summary>A key of one member of staff.</summary>
internal sealed class OperatorKey
{
    public string Name { get; set; } = "";

    /// <summary>SHA-256 of the key in hexadecimal; the key itself is stored nowhere.</summary>
    public string Sha256 { get; set; } = "";

    public OperatorRole[] Roles { get; set; } = [];

    /// <summary>From then on the key is refused.</summary>
    public DateTimeOffset? ExpiresAt { get; set; }
}
