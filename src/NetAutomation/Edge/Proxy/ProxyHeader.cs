using System.Buffers;
using System.Buffers.Binary;
using System.Net;
using System.Numerics;
using System.Text;

namespace NetAutomation.Edge.Proxy;

/// <summary>How far a header could be read.</summary>
internal enum ProxyRead
{
    Incomplete,
    Complete,
    Refused,
}

/// <summary>
/// One PROXY protocol v2 header (haproxy's proxy-protocol.txt, section 2.2) with the endpoint id that AWS adds as type 0xEA.
/// </summary>
/// <param name="Local">Sent by the load balancer on its own behalf.</param>
/// <param name="Source">The client's address; null where the header has none.</param>
/// <param name="Destination">The address the client connected to; null where the header has none.</param>
/// <param name="EndpointId">The VPC endpoint id; null where the connection came by another way.</param>
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

    /// <summary>Decides at the first byte that cannot be part of a header, and never before the header is whole.</summary>
    /// <param name="fault">Why it was refused, as a metric tag.</param>
    public static ProxyRead Read(in ReadOnlySequence<byte> input, out ProxyHeader? header, out string? fault)
    {
        (header, fault) = (null, null);
        Span<byte> start = stackalloc byte[Fixed];
        var have = (int)Math.Min(input.Length, Fixed);
        start = start[..have];
        input.Slice(0, have).CopyTo(start);
        fault = FaultOf(start);
        if (fault is not null)
        {
            return ProxyRead.Refused;
        }

        if (have < Fixed)
        {
            return ProxyRead.Incomplete;
        }

        var length = Fixed + BinaryPrimitives.ReadUInt16BigEndian(start[14..]);
        if (start[12] == ProxyCommand)
        {
            fault = length - Fixed > LargestPayload ? "too_long" : length - Fixed < AddressSize(start[13]) ? "too_short" : null;
            if (fault is not null)
            {
                return ProxyRead.Refused;
            }
        }

        if (input.Length < length)
        {
            return ProxyRead.Incomplete;
        }

        if (start[12] == LocalCommand)
        {
            header = new ProxyHeader(true, null, null, null, length);
            return ProxyRead.Complete;
        }

        var whole = input.Slice(0, length).ToArray();
        fault = ReadTypes(whole, out var endpointId);
        if (fault is not null)
        {
            return ProxyRead.Refused;
        }

        var (source, destination) = Addresses(whole);
        header = new ProxyHeader(false, source, destination, endpointId, length);
        return ProxyRead.Complete;
    }

    /// <summary>True where what follows a header is the start of another one.</summary>
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

        return start.Length > 13 && !IsFamily(start[13], start[12] == LocalCommand) ? "family" : null;
    }

    // Datagram families are defined, but no datagram arrives on a TCP listener.
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
        var size = whole[13] switch
        {
            Tcp4 => 4,
            Tcp6 => 16,
            _ => 0,
        };
        if (size == 0)
        {
            return (null, null);
        }

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
