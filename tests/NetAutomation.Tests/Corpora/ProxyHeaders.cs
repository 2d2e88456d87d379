using System.Buffers.Binary;
using System.Numerics;
using System.Text;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Corpora;

/// <summary>Makes hostile PROXY v2 headers: right ones with bytes changed, and ones built wrong from right parts.</summary>
internal sealed class ProxyHeaders(Random dice, params string[] endpoints)
{
    public byte[] Next() => dice.Next(2) == 0 ? Mutated() : Shaped();

    /// <summary>As the load balancer sends it: addresses, endpoint, checksum.</summary>
    public byte[] Right() => Sealed(ProxyV2.Header(Endpoint(Pick(endpoints)), ProxyV2.Type(0x03, new byte[4])));

    private byte[] Mutated()
    {
        var bytes = (dice.Next(3) switch { 0 => ProxyV2.Header(Pick(endpoints)), 1 => Right(), _ => Shaped() }).ToList();
        for (var times = dice.Next(1, 5); times > 0 && bytes.Count > 0; times--)
        {
            var at = dice.Next(bytes.Count);
            switch (dice.Next(8))
            {
                case 0: bytes[at] ^= (byte)(1 << dice.Next(8)); break;
                case 1: bytes[at] = (byte)dice.Next(256); break;
                case 2: bytes.RemoveAt(at); break;
                case 3: bytes.Insert(at, (byte)dice.Next(256)); break;
                case 4: bytes.RemoveRange(at, dice.Next(bytes.Count - at + 1)); break;
                case 5: bytes.InsertRange(at, bytes.GetRange(at, dice.Next(Math.Min(40, bytes.Count - at) + 1))); break;
                case 6: bytes.InsertRange(at, Pick<Func<byte[]>>(Right, () => ProxyV2.Local, Shaped)()); break;
                default:
                    // The lengths are where a parser believes what it is told.
                    if (bytes.Count > 16)
                    {
                        bytes[Pick(14, 15)] = (byte)dice.Next(256);
                    }

                    break;
            }
        }

        return dice.Next(4) == 0 ? Sealed([.. bytes]) : [.. bytes];
    }

    private byte[] Shaped()
    {
        var family = Pick<byte>(0x11, 0x11, 0x11, 0x21, 0x31, 0x00, 0x12, 0x22, 0x32, 0x01, 0xFF);
        var addresses = new byte[family switch { 0x11 => 12, 0x21 => 36, 0x31 => 216, _ => Pick(0, 0, 12) }];
        dice.NextBytes(addresses);
        var types = Enumerable.Range(0, dice.Next(6)).SelectMany(_ => Type()).ToArray();
        byte[] body = [.. dice.Next(10) == 0 ? addresses[..dice.Next(addresses.Length + 1)] : addresses, .. types];
        var length = dice.Next(8) switch
        {
            0 => dice.Next(65536),
            1 => Math.Max(0, body.Length + dice.Next(-4, 5)),
            _ => body.Length,
        };
        byte[] whole =
            [.. ProxyV2.Signature, Pick<byte>(0x21, 0x21, 0x21, 0x21, 0x20, 0x22, 0x11, 0x31), family, (byte)(length >> 8), (byte)length,
                .. body];
        if (dice.Next(3) > 0)
        {
            whole = Sealed(whole);
        }

        return dice.Next(4) switch
        {
            0 => [.. whole, .. Right()],
            1 => [.. whole, .. new byte[dice.Next(64)]],
            _ => whole,
        };
    }

    private byte[] Type()
    {
        var name = Pick(endpoints);
        return dice.Next(9) switch
        {
            0 or 1 or 2 => Endpoint(name),
            3 => Endpoint(Pick(
                name.ToUpperInvariant(), $" {name}", $"{name} ", $"{name}\0", name[..^1], $"{name}f", $"{name}\n", "vpce-", "vpce-0123456g",
                $"{name},{name}", "vpce-\uff10123456789", string.Concat(Enumerable.Repeat(name, 9)))),
            4 => ProxyV2.Type(0xEA, [Pick<byte>(0x00, 0x02, 0xFF), .. Encoding.Latin1.GetBytes(name)]),
            5 => ProxyV2.Type(0x03, new byte[Pick(4, 4, 4, 0, 3, 5)]),
            // A header within a header: only the outer one counts.
            6 => ProxyV2.Type(Pick<byte>(0x04, 0x20, 0xE0, 0xEB), [.. Endpoint(name), .. ProxyV2.Header(name)]),
            7 => ProxyV2.Type((byte)dice.Next(256), new byte[dice.Next(12)]),
            _ => Cut(Endpoint(name)),
        };
    }

    private byte[] Cut(byte[] type)
    {
        BinaryPrimitives.WriteUInt16BigEndian(type.AsSpan(1), (ushort)dice.Next(Pick(64, 65536)));
        return type;
    }

    private static byte[] Endpoint(string name) => ProxyV2.Type(0xEA, [0x01, .. Encoding.Latin1.GetBytes(name)]);

    /// <summary>Makes the first checksum right, where there is one.</summary>
    private static byte[] Sealed(byte[] bytes)
    {
        var at = bytes.AsSpan().IndexOf((ReadOnlySpan<byte>)[0x03, 0x00, 0x04]) + 3;
        if (at < 19 || bytes.Length < at + 4)
        {
            return bytes;
        }

        var end = Math.Min(bytes.Length, 16 + BinaryPrimitives.ReadUInt16BigEndian(bytes.AsSpan(14)));
        bytes.AsSpan(at, 4).Clear();
        var crc = uint.MaxValue;
        foreach (var b in bytes.AsSpan(0, end))
        {
            crc = BitOperations.Crc32C(crc, b);
        }

        BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(at), ~crc);
        return bytes;
    }

    private T Pick<T>(params T[] from) => from[dice.Next(from.Length)];
}
