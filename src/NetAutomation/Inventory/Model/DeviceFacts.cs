using System.Text.RegularExpressions;
using NetAutomation.Inventory.Rules;
using NetAutomation.Platforms;
using NetAutomation.Web;

namespace NetAutomation.Inventory.Model;

/// <summary>
/// The facts that a tenant gives about a device, by request or import. All members are required, so that code that leaves one out does not
/// compile.
/// </summary>
internal partial record DeviceFacts
{
    public required string Name { get; init; }

    public required SiteId SiteId { get; init; }

    public required string Address { get; init; }

    public required int Port { get; init; }

    public required string Platform { get; init; }

    public required CredentialId CredentialId { get; init; }

    /// <summary>The pin, in OpenSSH's form <c>SHA256:…</c>; null until it is given or first seen.</summary>
    public required string? HostKeySha256 { get; init; }

    public required Dictionary<string, string> Labels { get; init; }

    public required bool Enabled { get; init; }

    public required ConnectionOptions ConnectionOptions { get; init; }

    // Names that Ansible reserves for hosts and groups.
    private static readonly HashSet<string> _reserved = new(StringComparer.OrdinalIgnoreCase) { "all", "ungrouped", "localhost" };

    /// <summary>The address in its one canonical form, and every fault; pointers start with <paramref name="at"/>.</summary>
    public (DeviceFacts Facts, List<ProblemError> Faults) Check(string at, bool allowLoopback, IReadOnlyList<PlatformVersion> platforms)
    {
        var faults = new List<ProblemError>();
        if (!DeviceName().IsMatch(Name) || _reserved.Contains(Name))
        {
            faults.Add(new ProblemError(
                $"{at}/name", "pattern",
                "1 to 63 letters, digits, dots, hyphens and underscores, starting with a letter or digit; "
                + "not all, ungrouped or localhost."));
        }

        var (address, reason) = Addresses.Canonical(Address, allowLoopback);
        if (address is null)
        {
            faults.Add(new ProblemError($"{at}/address", "address", reason!));
        }

        if (Port is < 1 or > 65535)
        {
            faults.Add(new ProblemError($"{at}/port", "out_of_range", "The port is 1 to 65535."));
        }

        var platform = platforms.FirstOrDefault(each => each.Name == Platform);
        if (platform is null)
        {
            faults.Add(new ProblemError(
                $"{at}/platform", "unknown_platform", $"The platform is one of {string.Join(", ", platforms.Select(each => each.Name))}."));
        }

        if (HostKeySha256 is not null && !Pin().IsMatch(HostKeySha256))
        {
            faults.Add(new ProblemError($"{at}/hostKeySha256", "pattern", "SHA256: and 43 base64 characters, as ssh-keygen -l shows it."));
        }

        faults.AddRange(Rules.Labels.Faults(Labels, $"{at}/labels"));
        // A row of a file has a column for each option.
        faults.AddRange(ConnectionRules.Faults(ConnectionOptions, platform, at.Length == 0 ? "/connectionOptions" : at));
        return (this with { Address = address ?? Address }, faults);
    }

    [GeneratedRegex(@"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}\z", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex DeviceName();

    [GeneratedRegex(@"^SHA256:[A-Za-z0-9+/]{43}\z", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Pin();
}
