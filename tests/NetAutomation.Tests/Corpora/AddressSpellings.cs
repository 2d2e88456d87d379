using System.Buffers.Binary;
using System.Net;

namespace NetAutomation.Tests.Corpora;

/// <summary>Spells addresses in every way that some reader takes for another address.</summary>
internal sealed class AddressSpellings(Random dice)
{
    /// <summary>What no range may open: this host, link-local and metadata, multicast, reserved; and addresses of everybody.</summary>
    private static readonly string[] _targets =
    [
        "127.0.0.1", "127.0.0.53", "127.255.255.254", "0.0.0.0", "0.1.2.3", "169.254.169.254", "169.254.170.2", "169.254.0.1",
        "168.63.129.16", "100.100.100.200", "192.0.0.192", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
        "10.1.2.3", "172.16.9.9", "192.168.7.7", "198.51.100.4", "8.8.4.4",
    ];

    private static readonly string[] _targets6 =
    [
        "::", "::1", "fe80::1", "febf::7", "fec0::1", "ff02::1", "ff05::1:3", "fd00:ec2::254", "fd20:ce::254", "2001:db8::5",
        "fd12:3456::9", "2001::1", "2002:7f00:1::1",
    ];

    private static readonly string[] _names =
    [
        "localhost", "LOCALHOST", "localhost.", "localhost.localdomain", "ip6-localhost", "ip6-loopback", "metadata.google.internal",
        "instance-data", "metadata", "", " ", ".", "..", "-", "*", "%", "\0", "a\0b", "127.0.0.1\0.example.com", "[", "]", "[]", ":", ":::",
        "0", "-1", "1e3", "0x", "0b1", "NaN", "router.invalid", "router.invalid:22", "user@127.0.0.1", "http://127.0.0.1/", "//127.0.0.1",
        "127.0.0.1/8", "127.0.0.1,10.1.2.3", "127.0.0.1 10.1.2.3", "10.1.2.3\n127.0.0.1", "10.1.2.3%lo", "unix:/run/x", "@/run/x",
        "4294967296", "99999999999", "256.256.256.256", "127.0.0.1.0", "127..0.1", "\u0661\u0662\u0667.0.0.1",
    ];

    public string Next()
    {
        if (dice.Next(6) == 0)
        {
            return Pick(_names);
        }

        if (dice.Next(4) == 0)
        {
            return Spelled6(IPAddress.Parse(Pick(_targets6)));
        }

        var address = dice.Next(4) == 0 ? Random4() : IPAddress.Parse(Pick(_targets));
        return dice.Next(3) == 0 ? Spelled6(Inside(address)) : Spelled4(address);
    }

    private IPAddress Random4()
    {
        var bytes = new byte[4];
        dice.NextBytes(bytes);
        bytes[0] = Pick<byte>(0, 127, 127, 169, 224, 240, 10, bytes[0]);
        return new IPAddress(bytes);
    }

    private string Spelled4(IPAddress address)
    {
        var b = address.GetAddressBytes();
        var number = BinaryPrimitives.ReadUInt32BigEndian(b);
        return dice.Next(14) switch
        {
            0 => $"{number}",
            1 => $"0x{number:x8}",
            2 => "0" + Convert.ToString(number, 8),
            3 => string.Join('.', b.Select(each => "0" + Convert.ToString(each, 8))),
            4 => string.Join('.', b.Select(each => $"0x{each:X}")),
            5 => $"{b[0]}.{number & 0xFFFFFF}",
            6 => $"{b[0]}.{b[1]}.{number & 0xFFFF}",
            7 => string.Join('.', b.Select(each => $"{each:000}")),
            8 => $"{address}.",
            9 => $" {address}",
            10 => $"{address}{Pick("\t", " ", "\n", "\u200b", "%lo", "%1", "#", "?", ":22", "/32", "\0")}",
            11 => string.Concat($"{address}".Select(each => char.IsDigit(each) ? (char)(0xFF10 + each - '0') : each)),
            12 => $"{address}".Replace('.', Pick('\u3002', '\uFF0E', '\uFF61')),
            _ => $"{address}",
        };
    }

    /// <summary>The address within one of the forms of IPv6 that carry one.</summary>
    private IPAddress Inside(IPAddress address)
    {
        var hex = Convert.ToHexStringLower(address.GetAddressBytes());
        var (high, low) = (hex[..4], hex[4..]);
        return IPAddress.Parse(dice.Next(10) switch
        {
            0 or 1 => $"::ffff:{high}:{low}",
            2 => $"::{high}:{low}",
            3 => $"64:ff9b::{high}:{low}",
            4 => $"64:ff9b:1::{high}:{low}",
            5 => $"2002:{high}:{low}::1",
            6 => $"2001:0:{high}:{low}::1",
            7 => $"::ffff:0:{high}:{low}",
            8 => $"2001:db8::5efe:{high}:{low}",
            _ => $"2001:db8::200:5efe:{high}:{low}",
        });
    }

    private string Spelled6(IPAddress address)
    {
        var full = string.Join(':', Convert.ToHexStringLower(address.GetAddressBytes()).Chunk(4).Select(four => new string(four)));
        return dice.Next(9) switch
        {
            0 => full,
            1 => full.ToUpperInvariant(),
            2 => $"[{address}]",
            3 => $"{address}%{Pick("lo", "1", "eth0", "0", "99")}",
            4 => $"[{address}]:22",
            5 => $"{full[..30]}{string.Join('.', address.GetAddressBytes()[12..])}",
            6 => $"{address}/128",
            7 => $" {address}",
            _ => $"{address}",
        };
    }

    private T Pick<T>(params T[] from) => from[dice.Next(from.Length)];
}
