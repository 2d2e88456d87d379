using System.Net;
using System.Text.Json;
using NetAutomation.Catalog.Schema;

namespace NetAutomation.Tests.Catalog;

/// <summary>Addresses of an input against .NET's own, over many of them.</summary>
public sealed class FormatTests
{
    private const int Many = 2000;
    private readonly Random _random = new(7607);

    [Fact]
    public void Every_spelling_of_an_IPv6_address_is_taken_and_means_the_same()
    {
        for (var i = 0; i < Many; i++)
        {
            var address = V6();
            if (address.IsIPv4MappedToIPv6)
            {
                continue;
            }

            var groups = Groups(address);
            string[] spellings =
            [
                $"{address}", $"{address}".ToUpperInvariant(), string.Join(':', groups.Select(group => $"{group:x4}")),
                string.Join(':', groups.Select(group => $"{group:X}")),
                $"{string.Join(':', groups.Take(6).Select(group => $"{group:x}"))}:{new IPAddress(address.GetAddressBytes()[12..])}",
            ];
            foreach (var spelling in spellings)
            {
                Fault("ipv6", spelling).ShouldBeNull(spelling);
                Fault("ip", spelling).ShouldBeNull(spelling);
                Fault("ipv4", spelling).ShouldNotBeNull(spelling);
                Canonical("ip", spelling).ShouldBe($"{address}");
                Fault("ipv6", $"{spelling}%eth0").ShouldNotBeNull();
                Fault("ipv6", $"[{spelling}]").ShouldNotBeNull();
            }
        }
    }

    [Fact]
    public void An_IPv4_address_has_one_spelling_and_a_zero_before_an_octet_is_named()
    {
        for (var i = 0; i < Many; i++)
        {
            var (address, octet) = (V4(), _random.Next(4));
            Fault("ipv4", $"{address}").ShouldBeNull($"{address}");
            Fault("ipv6", $"{address}").ShouldNotBeNull();
            var octets = $"{address}".Split('.');
            octets[octet] = $"0{octets[octet]}";
            if (octets[octet].Length <= 3)
            {
                var text = string.Join('.', octets);
                Fault("ip", text).ShouldBe($"{text} is not an IPv4 address: an octet has a leading zero.");
            }
        }
    }

    [Fact]
    public void A_prefix_means_its_network()
    {
        for (var i = 0; i < Many; i++)
        {
            var address = i % 2 == 0 ? V4() : V6();
            var (text, bits) = ($"{address}", address.GetAddressBytes().Length * 8);
            var length = _random.Next(bits + 1);
            if (address.IsIPv4MappedToIPv6)
            {
                continue;
            }

            Fault("prefix", $"{text}/{length}").ShouldBeNull($"{text}/{length}");
            Fault("prefix", $"{text}/{bits + 1}").ShouldNotBeNull();
            Fault("prefix", text).ShouldNotBeNull();
            // .NET refuses a network with host bits.
            var network = IPNetwork.Parse(Canonical("prefix", $"{text}/{length}"));
            network.PrefixLength.ShouldBe(length);
            network.Contains(address).ShouldBeTrue($"{text}/{length}");
        }
    }

    [Fact]
    public void A_next_hop_is_any_address_that_another_device_can_have()
    {
        IPNetwork[] nobody =
        [
            .. new[] { "0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/3", "::/128", "::1/128", "ff00::/8" }.Select(text => IPNetwork.Parse(text)),
        ];
        foreach (var address in Enumerable.Range(0, 256).SelectMany(first => new[] { V4((byte)first), V6((byte)first) }))
        {
            var taken = !Array.Exists(nobody, network => network.Contains(address)) && !address.IsIPv4MappedToIPv6;
            (Fault("nexthop", $"{address}") is null).ShouldBe(taken, $"{address}");
            (Fault("neighbor", $"{address}") is null).ShouldBe(taken && !address.IsIPv6LinkLocal, $"{address}");
        }
    }

    [Fact]
    public void A_configuration_is_named_by_its_id_and_by_no_other()
    {
        Fault("config", $"{ConfigId.New()}").ShouldBeNull();
        foreach (var text in new[] { $"{DeviceId.New()}", "cfg_", $"{ConfigId.New()}x", "hostname r1" })
        {
            Fault("config", text).ShouldNotBeNull(text);
        }
    }

    private IPAddress V4(byte? first = null) => Address(4, first);

    /// <summary>Often with groups of zeros, as in real networks.</summary>
    private IPAddress V6(byte? first = null)
    {
        var bytes = Address(16, first).GetAddressBytes();
        for (var group = 1; group < 8; group++)
        {
            if (_random.Next(2) == 0)
            {
                (bytes[2 * group], bytes[(2 * group) + 1]) = (0, 0);
            }
        }

        return new IPAddress(bytes);
    }

    private IPAddress Address(int length, byte? first)
    {
        var bytes = new byte[length];
        _random.NextBytes(bytes);
        bytes[0] = first ?? bytes[0];
        return new IPAddress(bytes);
    }

    private static int[] Groups(IPAddress address) =>
        [.. address.GetAddressBytes().Chunk(2).Select(pair => (pair[0] << 8) | pair[1])];

    private static string? Fault(string format, string text) => Formats.Fault(format, JsonSerializer.SerializeToElement(text));

    private static string Canonical(string format, string text) => Formats.Canonical(format, JsonSerializer.SerializeToElement(text));
}
