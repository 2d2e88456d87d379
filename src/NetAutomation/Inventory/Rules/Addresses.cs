using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;

namespace NetAutomation.Inventory.Rules;

/// <summary>
/// Which addresses a device may have. The connector's allow-list decides what is dialled; this refuses early what no device has, and
/// gives each address one spelling, so that one router is one device.
/// </summary>
internal static partial class Addresses
{
    private static readonly IPNetwork[] _loopback = [IPNetwork.Parse("127.0.0.0/8"), IPNetwork.Parse("::1/128")];

    // RFC 6890 and the metadata addresses of the clouds.
    private static readonly IPNetwork[] _never =
    [
        IPNetwork.Parse("0.0.0.0/8"), IPNetwork.Parse("169.254.0.0/16"), IPNetwork.Parse("224.0.0.0/4"), IPNetwork.Parse("240.0.0.0/4"),
        IPNetwork.Parse("100.100.100.200/32"), IPNetwork.Parse("::/128"), IPNetwork.Parse("::/96"), IPNetwork.Parse("64:ff9b::/96"),
        IPNetwork.Parse("fe80::/10"), IPNetwork.Parse("ff00::/8"), IPNetwork.Parse("fd00:ec2::254/128"),
    ];

    /// <summary>Null, and the reason, where no device may have the address.</summary>
    public static string? Canonical(string text, bool allowLoopback, out string? reason)
    {
        reason = null;
        if (IPAddress.TryParse(text, out var address))
        {
            if (address.AddressFamily == AddressFamily.InterNetwork ? address.ToString() != text : text.IndexOfAny(['%', '[']) >= 0)
            {
                reason = "Write IPv4 as four decimal numbers and IPv6 without brackets or zone.";
                return null;
            }

            return Refused(address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address, allowLoopback, out reason)
                ? null
                : (address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address).ToString();
        }

        var name = text.ToLowerInvariant();
        if (name.Length > 253 || !HostName().IsMatch(name))
        {
            reason = "An IP address or a host name (RFC 1123).";
            return null;
        }

        if ((name == "localhost" || name.EndsWith(".localhost", StringComparison.Ordinal)) && !allowLoopback)
        {
            reason = "Loopback is not a device's address.";
            return null;
        }

        if (name is "metadata" or "metadata.google.internal" or "instance-data" or "instance-data.ec2.internal")
        {
            reason = "A metadata service is not a device.";
            return null;
        }

        return name;
    }

    private static bool Refused(IPAddress address, bool allowLoopback, out string? reason)
    {
        if (_loopback.Any(network => network.Contains(address)))
        {
            reason = allowLoopback ? null : "Loopback is not a device's address.";
            return !allowLoopback;
        }

        var never = _never.Any(network => network.Contains(address));
        reason = never ? "Link-local, metadata, multicast and reserved addresses are not a device's." : null;
        return never;
    }

    // The last label starts with a letter, so that nothing a resolver reads as a number passes for a name.
    [GeneratedRegex(
        @"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z]([a-z0-9-]{0,61}[a-z0-9])?\z",
        RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex HostName();
}
