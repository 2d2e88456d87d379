using System.Text.RegularExpressions;
using NetAutomation.Inventory.Rules;
using NetAutomation.Web;

namespace NetAutomation.Inventory.Model;

/// <summary>What a tenant says about a device, whichever way it comes in.</summary>
internal sealed partial record DeviceFacts(
    string Name,
    SiteId SiteId,
    string Address,
    int Port,
    string Platform,
    CredentialId CredentialId,
    string? HostKeySha256,
    Dictionary<string, string> Labels,
    bool Enabled)
{
    // Ansible's own words for hosts and groups.
    private static readonly HashSet<string> s_reserved = new(StringComparer.OrdinalIgnoreCase) { "all", "ungrouped", "localhost" };

    /// <summary>The address in its one canonical form, and every fault; pointers start with <paramref name="at"/>.</summary>
    public (DeviceFacts Facts, List<ProblemError> Faults) Check(string at, bool allowLoopback)
    {
        var faults = new List<ProblemError>();
        if (!DeviceName().IsMatch(Name) || s_reserved.Contains(Name))
        {
            faults.Add(new ProblemError($"{at}/name", "pattern", "1 to 63 letters, digits, dots, hyphens and underscores, starting with a letter or digit; not all, ungrouped or localhost."));
        }

        var address = Addresses.Canonical(Address, allowLoopback, out var reason);
        if (address is null)
        {
            faults.Add(new ProblemError($"{at}/address", "address", reason!));
        }

        if (Port is < 1 or > 65535)
        {
            faults.Add(new ProblemError($"{at}/port", "out_of_range", "The port is 1 to 65535."));
        }

        if (!Catalog.Platforms.Known.Contains(Platform, StringComparer.Ordinal))
        {
            faults.Add(new ProblemError($"{at}/platform", "enum", $"The platform is one of {string.Join(", ", Catalog.Platforms.Known)}."));
        }

        if (HostKeySha256 is not null && !Pin().IsMatch(HostKeySha256))
        {
            faults.Add(new ProblemError($"{at}/hostKeySha256", "pattern", "SHA256: and 43 base64 characters, as ssh-keygen -l shows it."));
        }

        faults.AddRange(Rules.Labels.Faults(Labels, $"{at}/labels"));
        return (this with { Address = address ?? Address }, faults);
    }

    public bool Same(DeviceFacts other) =>
        this with { Labels = other.Labels } == other && Labels.Count == other.Labels.Count
        && Labels.All(label => other.Labels.TryGetValue(label.Key, out var value) && value == label.Value);

    [GeneratedRegex(@"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}\z", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex DeviceName();

    [GeneratedRegex(@"^SHA256:[A-Za-z0-9+/]{43}\z", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Pin();
}
