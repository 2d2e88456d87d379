using System.Net;
using System.Net.Sockets;

namespace NetAutomation.Connector;

/// <summary>
/// Addresses no range of the allow-list can open: this host, link-local and cloud metadata, multicast, reserved blocks
/// (IANA special-purpose registries), and IPv6 forms that carry an IPv4 address inside.
/// </summary>
internal static class ForbiddenAddresses
{
    private static readonly IPNetwork[] _networks =
    [
        .. new[]
        {
            "0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4",
            // Metadata or platform services outside link-local: Azure, Alibaba Cloud, Oracle Cloud.
            "168.63.129.16/32", "100.100.100.200/32", "192.0.0.0/24",
            "fe80::/10", "fec0::/10", "ff00::/8",
            // EC2 metadata over IPv6; AWS time and DNS share the prefix.
            "fd00:ec2::/32", "fd20:ce::/32",
            // IPv4-compatible and loopback, NAT64, 6to4, Teredo.
            "::/96", "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::ffff:0:0:0/96",
        }.Select(IPNetwork.Parse),
    ];

    public static bool Contains(IPAddress normalised) => Array.Exists(_networks, n => n.Contains(normalised))
        || HasIsatapSuffix(normalised);

    // RFC 5214: …:0:5efe:a.b.c.d and …:200:5efe:a.b.c.d reach the IPv4 host inside.
    private static bool HasIsatapSuffix(IPAddress address) =>
        address.AddressFamily == AddressFamily.InterNetworkV6
        && address.GetAddressBytes() is [_, _, _, _, _, _, _, _, 0 or 2, 0, 0x5e, 0xfe, ..];
}
