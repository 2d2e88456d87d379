using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Numerics;
using System.Text;

namespace NetAutomation.AwsSimulator.Nlb;

/// <summary>PROXY protocol version 2 as an NLB writes it: CRC32C first, padded with NOOP to 100 bytes.</summary>
internal static class ProxyHeader
{
    private const int NlbLength = 100;

    private static readonly byte[] _signature = "\r\n\r\n\0\r\nQUIT\n"u8.ToArray();

    public static byte[] Proxy(IPEndPoint source, IPEndPoint destination, string? endpointId)
    {
        using var body = new MemoryStream();
        body.Write(Unmapped(source));
        body.Write(Unmapped(destination));
        Span<byte> ports = stackalloc byte[4];
        BinaryPrimitives.WriteUInt16BigEndian(ports, (ushort)source.Port);
        BinaryPrimitives.WriteUInt16BigEndian(ports[2..], (ushort)destination.Port);
        body.Write(ports);
        return Finish(0x21, body.Length == 12 ? (byte)0x11 : (byte)0x21, body.ToArray(), endpointId);
    }

    /// <summary>A health check: no addresses although the family byte says TCP over IPv4 (seen on real load balancers).</summary>
    public static byte[] Local() => Finish(0x20, 0x11, [], null);

    private static byte[] Finish(byte command, byte family, byte[] addresses, string? endpointId)
    {
        using var header = new MemoryStream();
        header.Write(_signature);
        header.Write([command, family, 0, 0]);
        header.Write(addresses);
        var crcAt = (int)header.Length + 3;
        header.Write([0x03, 0, 4, 0, 0, 0, 0]);
        if (endpointId is not null)
        {
            header.Write([0xEA, 0, (byte)(endpointId.Length + 1), 0x01]);
            header.Write(Encoding.ASCII.GetBytes(endpointId));
        }
        var padding = NlbLength - (int)header.Length - 3;
        if (padding >= 0)
        {
            header.Write([0x04, 0, (byte)padding]);
            header.Write(new byte[padding]);
        }
        var bytes = header.ToArray();
        BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(14), (ushort)(bytes.Length - 16));
        BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(crcAt), Crc32C(bytes));
        return bytes;
    }

    private static byte[] Unmapped(IPEndPoint end) =>
        (end.AddressFamily == AddressFamily.InterNetworkV6 && end.Address.IsIPv4MappedToIPv6 ? end.Address.MapToIPv4() : end.Address)
            .GetAddressBytes();

    private static uint Crc32C(ReadOnlySpan<byte> bytes)
    {
        var crc = uint.MaxValue;
        foreach (var value in bytes)
        {
            crc = BitOperations.Crc32C(crc, value);
        }
        return ~crc;
    }
}
