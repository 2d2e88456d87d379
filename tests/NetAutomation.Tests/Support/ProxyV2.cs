using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace NetAutomation.Tests.Support;

/// <summary>The header that the load balancer sends before a connection, built without the service's own parser.</summary>
internal static class ProxyV2
{
    public static readonly byte[] Signature = Convert.FromHexString("0d0a0d0a000d0a515549540a");

    /// <summary>A connection of 10.20.0.7:50000 through this endpoint.</summary>
    public static byte[] Header(string endpointId) => Header(Type(0xEA, [0x01, .. Encoding.ASCII.GetBytes(endpointId)]));

    public static byte[] Header(params byte[][] types)
    {
        byte[] body = [10, 20, 0, 7, 10, 0, 0, 1, 0xC3, 0x50, 0x20, 0xFB, .. types.SelectMany(type => type)];
        return [.. Signature, 0x21, 0x11, (byte)(body.Length >> 8), (byte)body.Length, .. body];
    }

    public static byte[] Local => [.. Signature, 0x20, 0x00, 0x00, 0x00];

    public static byte[] Type(byte type, byte[] value)
    {
        var bytes = new byte[3 + value.Length];
        bytes[0] = type;
        BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(1), (ushort)value.Length);
        value.CopyTo(bytes, 3);
        return bytes;
    }

    /// <summary>Connects and sends these bytes first.</summary>
    public static async ValueTask<Stream> Connect(
        IPEndPoint address, byte[] first, CancellationToken cancel, IPAddress? from = null, int receiveBuffer = 0)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            if (receiveBuffer > 0)
            {
                socket.ReceiveBufferSize = receiveBuffer;
            }

            if (from is not null)
            {
                socket.Bind(new IPEndPoint(from, 0));
            }

            await socket.ConnectAsync(address, cancel);
            var stream = new NetworkStream(socket, ownsSocket: true);
            await stream.WriteAsync(first, cancel);
            return stream;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
