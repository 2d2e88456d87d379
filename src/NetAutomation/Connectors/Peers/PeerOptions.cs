using System.ComponentModel.DataAnnotations;

namespace NetAutomation.Connectors.Peers;

/// <summary>Section <c>Peer</c>: how the processes of one service reach each other. Not needed where there is one.</summary>
internal sealed class PeerOptions : IValidatableObject
{
    private const UnixFileMode NotOwner = UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.GroupExecute
        | UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute;

    /// <summary>
    /// Where the others reach this process, such as https://10.0.1.7:9444. Port 0 stands for the one the listener was given.
    /// </summary>
    public string Url { get; set; } = "";

    /// <summary>Holds the key all replicas share: at least 32 characters, readable by its owner alone.</summary>
    public string ClusterKeyFile { get; set; } = "";

    public bool IsSet => Url.Length > 0;

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (Url.Length > 0 != ClusterKeyFile.Length > 0)
        {
            yield return new("Peer:Url and Peer:ClusterKeyFile belong together.");
        }
        else if (IsSet)
        {
            if (Url.Length > 200 || !Uri.TryCreate(Url, UriKind.Absolute, out var url) || url.Scheme != Uri.UriSchemeHttps
                || url.PathAndQuery != "/")
            {
                yield return new($"Peer:Url is an address such as https://10.0.1.7:9444, not '{Url}'.");
            }

            if (!File.Exists(ClusterKeyFile))
            {
                yield return new($"Peer:ClusterKeyFile '{ClusterKeyFile}' is not there.");
            }
            else if ((File.GetUnixFileMode(ClusterKeyFile) & NotOwner) != UnixFileMode.None)
            {
                yield return new($"Peer:ClusterKeyFile '{ClusterKeyFile}' may be readable by its owner alone (mode 0600).");
            }
            else if (File.ReadAllText(ClusterKeyFile).Trim().Length < 32)
            {
                yield return new($"Peer:ClusterKeyFile '{ClusterKeyFile}' holds fewer than 32 characters.");
            }
        }
    }
}
