using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;

namespace NetAutomation.Inventory.Rules;

/// <summary>
/// Which addresses a device may have. The connector's allow-list decides what is dialled; this refuses early the addresses that no device
/// has, and gives each address one spelling, so that one router is one device.
/// </summary>
internal static partial class Addresses
{
    private const string Loopback = "Loopback is not a device's address.";
    private static readonly IPNetwork[] _loopback = [IPNetwork.Parse("127.0.0.0/8"), IPNetwork.Parse("::1/128")];

    // RFC 6890 and the metadata addresses of the clouds.
    private static readonly IPNetwork[] _never =
    [
        IPNetwork.Parse("0.0.0.0/8"), IPNetwork.Parse("169.254.0.0/16"), IPNetwork.Parse("224.0.0.0/4"), IPNetwork.Parse("240.0.0.0/4"),
        IPNetwork.Parse("100.100.100.200/32"), IPNetwork.Parse("::/128"), IPNetwork.Parse("::/96"), IPNetwork.Parse("64:ff9b::/96"),
        IPNetwork.Parse("fe80::/10"), IPNetwork.Parse("ff00::/8"), IPNetwork.Parse("fd00:ec2::254/128"),
    ];

    /// <summary>The address in its canonical form, or the reason why no device may have it.</summary>
    public static (string? Address, string? Reason) Canonical(string text, bool allowLoopback)
    {
        if (!IPAddress.TryParse(text, out var address))
        {
            return Host(text.ToLowerInvariant(), allowLoopback);
        }

        if (address.AddressFamily == AddressFamily.InterNetwork ? address.ToString() != text : text.IndexOfAny(['%', '[']) >= 0)
        {
            return (null, "Write IPv4 as four decimal numbers and IPv6 without brackets or zone.");
        }

        address = address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
        if (_loopback.Any(network => network.Contains(address)))
        {
            return allowLoopback ? (address.ToString(), null) : (null, Loopback);
        }

        return _never.Any(network => network.Contains(address))
            ? (null, "Link-local, metadata, multicast and reserved addresses are not a device's.") : (address.ToString(), null);
    }

    private static (string? Address, string? Reason) Host(string name, bool allowLoopback) => name switch
    {
        _ when name.Length > 253 || !HostName().IsMatch(name) => (null, "An IP address or a host name (RFC 1123)."),
        _ when !allowLoopback && (name == "localhost" || name.EndsWith(".localhost", StringComparison.Ordinal)) => (null, Loopback),
        "metadata" or "metadata.google.internal" or "instance-data" or "instance-data.ec2.internal" =>
            (null, "A metadata service is not a device."),
        _ => (name, null),
    };

    // The last label starts with a letter, so that a number in a form that resolvers read does not pass for a name.
    [GeneratedRegex(
        @"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z]([a-z0-9-]{0,61}[a-z0-9])?\z",
        RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex HostName();
}
