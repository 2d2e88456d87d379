using System.Buffers;
using System.Buffers.Binary;
using System.Net;
using System.Numerics;
using System.Text;

namespace NetAutomation.Edge.Proxy;

/// <summary>
/// One PROXY protocol v2 header (haproxy's proxy-protocol.txt, section 2.2) with the endpoint id that AWS adds as type 0xEA.
/// </summary>
/// <param name="Local">Sent by the load balancer on its own behalf.</param>
/// <param name="Source">The client's address; null where the header has none.</param>
/// <param name="Destination">The address the client connected to; null where the header has none.</param>
/// <param name="EndpointId">The VPC endpoint id; null where the connection did not come through an endpoint.</param>
/// <param name="Length">Bytes of the header.</param>
internal sealed record ProxyHeader(bool Local, IPEndPoint? Source, IPEndPoint? Destination, string? EndpointId, int Length)
{
    /// <summary>AWS sends 84. A LOCAL header is skipped, never read, and may have any length.</summary>
    public const int LargestPayload = 4096;

    private const int Fixed = 16;
    private const byte LocalCommand = 0x20, ProxyCommand = 0x21;
    private const byte Tcp4 = 0x11, Tcp6 = 0x21, UnixStream = 0x31;
    private const byte Crc32C = 0x03, Aws = 0xEA, AwsEndpointId = 0x01;

    private static readonly SearchValues<byte> _hexadecimal = SearchValues.Create("0123456789abcdef"u8);

    private static ReadOnlySpan<byte> Signature => "\r\n\r\n\0\r\nQUIT\n"u8;

    /// <summary>
    /// Reads the header at the start of a connection, or says as a metric tag why it is refused. Neither, where more bytes are needed.
    /// Refuses at the first byte that cannot be part of a header.
    /// </summary>
    public static (ProxyHeader? Header, string? Fault) Read(in ReadOnlySequence<byte> input)
    {
        Span<byte> start = stackalloc byte[Fixed];
        start = start[..(int)Math.Min(input.Length, Fixed)];
        input.Slice(0, start.Length).CopyTo(start);
        if (FaultOf(start) is { } refused)
        {
            return (null, refused);
        }

        if (start.Length < Fixed)
        {
            return (null, null);
        }

        var length = Fixed + BinaryPrimitives.ReadUInt16BigEndian(start[14..]);
        if (input.Length < length)
        {
            return (null, null);
        }

        if (start[12] == LocalCommand)
        {
            return (new ProxyHeader(true, null, null, null, length), null);
        }

        var whole = input.Slice(0, length).ToArray();
        if (ReadTypes(whole, out var endpointId) is { } fault)
        {
            return (null, fault);
        }

        var (source, destination) = Addresses(whole);
        return (new ProxyHeader(false, source, destination, endpointId, length), null);
    }

    /// <summary>True where these bytes begin with another header.</summary>
    public static bool IsSignature(in ReadOnlySequence<byte> input)
    {
        Span<byte> start = stackalloc byte[12];
        if (input.Length < start.Length)
        {
            return false;
        }

        input.Slice(0, start.Length).CopyTo(start);
        return start.SequenceEqual(Signature);
    }

    private static string? FaultOf(ReadOnlySpan<byte> start)
    {
        var signature = Math.Min(start.Length, Signature.Length);
        if (!start[..signature].SequenceEqual(Signature[..signature]))
        {
            return "not_a_header";
        }

        if (start.Length > 12 && start[12] is not (LocalCommand or ProxyCommand))
        {
            return "version_or_command";
        }

        if (start.Length > 13 && !IsFamily(start[13], start[12] == LocalCommand))
        {
            return "family";
        }

        return start.Length < Fixed || start[12] == LocalCommand ? null : BinaryPrimitives.ReadUInt16BigEndian(start[14..]) switch
        {
            > LargestPayload => "too_long",
            var payload when payload < AddressSize(start[13]) => "too_short",
            _ => null,
        };
    }

    // The protocol defines datagram families, but no datagram arrives on a TCP listener.
    private static bool IsFamily(byte family, bool local) => family is 0x00 or Tcp4 or Tcp6 or UnixStream
        || (local && (family is 0x12 or 0x22 or 0x32));

    private static int AddressSize(byte family) => family switch
    {
        Tcp4 => 12,
        Tcp6 => 36,
        UnixStream => 216,
        _ => 0,
    };

    private static (IPEndPoint? Source, IPEndPoint? Destination) Addresses(ReadOnlySpan<byte> whole)
    {
        if (whole[13] is not (Tcp4 or Tcp6))
        {
            return (null, null);
        }

        var size = whole[13] == Tcp4 ? 4 : 16;
        var block = whole[Fixed..];
        var ports = block[(2 * size)..];
        return (
            new IPEndPoint(new IPAddress(block[..size]), BinaryPrimitives.ReadUInt16BigEndian(ports)),
            new IPEndPoint(new IPAddress(block[size..(2 * size)]), BinaryPrimitives.ReadUInt16BigEndian(ports[2..])));
    }

    private static string? ReadTypes(byte[] whole, out string? endpointId)
    {
        endpointId = null;
        var sawCrc = false;
        for (var at = Fixed + AddressSize(whole[13]); at < whole.Length;)
        {
            if (whole.Length - at < 3)
            {
                return "type_cut";
            }

            var type = whole[at];
            var length = BinaryPrimitives.ReadUInt16BigEndian(whole.AsSpan(at + 1));
            at += 3;
            if (length > whole.Length - at)
            {
                return "type_cut";
            }

            var value = whole.AsSpan(at, length);
            at += length;
            if (type == Crc32C)
            {
                if (sawCrc || !CrcAgrees(whole, value))
                {
                    return "checksum";
                }

                sawCrc = true;
            }
            else if (type == Aws && value is [AwsEndpointId, ..])
            {
                if (endpointId is not null)
                {
                    return "endpoint_ambiguous";
                }

                if (!IsEndpointId(value[1..]))
                {
                    return "endpoint_malformed";
                }

                endpointId = Encoding.ASCII.GetString(value[1..]);
            }
        }

        return null;
    }

    // ^vpce-[0-9a-f]{8,17}$
    private static bool IsEndpointId(ReadOnlySpan<byte> id) =>
        id.StartsWith("vpce-"u8) && id.Length is >= 13 and <= 22 && id[5..].IndexOfAnyExcept(_hexadecimal) < 0;

    private static bool CrcAgrees(byte[] whole, Span<byte> value)
    {
        if (value.Length != 4)
        {
            return false;
        }

        var wanted = BinaryPrimitives.ReadUInt32BigEndian(value);
        value.Clear();
        var crc = uint.MaxValue;
        foreach (var b in whole)
        {
            crc = BitOperations.Crc32C(crc, b);
        }

        return ~crc == wanted;
    }
}
