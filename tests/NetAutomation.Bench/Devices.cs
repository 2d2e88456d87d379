using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;

namespace NetAutomation.Bench;

/// <summary>
/// Imitation devices on loopback ports. Each but the last greets with one byte, as SSH servers and consoles speak first, and then obeys the
/// first nine bytes it receives: <c>E</c> echoes, <c>S</c> sends the given number of bytes, <c>R</c> reads that number and answers with one
/// byte, <c>Q</c> never reads. Blocking threads cost the least, and cost the same on every path to the devices.
/// </summary>
internal sealed class Devices : IDisposable
{
    public const int Echo = 'E';
    public const int Send = 'S';
    public const int Receive = 'R';
    public const int Quiet = 'Q';
    private const int Stack = 128 * 1024;
    private readonly List<TcpListener> _listeners = [];

    public Devices(int count)
    {
        for (var i = 0; i < count; i++)
        {
            var (listener, greets) = (new TcpListener(IPAddress.Loopback, 0), i < count - 1);
            listener.Start(1024);
            _listeners.Add(listener);
            Spawn(() =>
            {
                while (true)
                {
                    var socket = listener.AcceptSocket();
                    Spawn(() => Serve(socket, greets));
                }
            });
        }
    }

    public IEnumerable<int> Ports => _listeners.Select(listener => ((IPEndPoint)listener.LocalEndpoint).Port);

    public void Dispose() => _listeners.ForEach(listener => listener.Dispose());

    /// <summary>A thread that ends with its socket.</summary>
    public static Thread Spawn(Action work)
    {
        var thread = new Thread(
            () =>
            {
                try
                {
                    work();
                }
                catch (Exception e) when (e is SocketException or ObjectDisposedException)
                {
                    // The other end, or the bench, has closed the socket.
                }
            },
            Stack)
        { IsBackground = true };
        thread.Start();
        return thread;
    }

    public static byte[] Order(int what, long length)
    {
        var order = new byte[9];
        order[0] = (byte)what;
        BinaryPrimitives.WriteInt64BigEndian(order.AsSpan(1), length);
        return order;
    }

    /// <summary>False if the other side closed the connection first.</summary>
    public static bool Fill(Socket socket, Span<byte> buffer)
    {
        for (var filled = 0; filled < buffer.Length;)
        {
            var read = socket.Receive(buffer[filled..]);
            if (read == 0)
            {
                return false;
            }

            filled += read;
        }

        return true;
    }

    public static void SendBytes(Socket socket, long length)
    {
        var buffer = new byte[64 * 1024];
        for (; length > 0; length -= buffer.Length)
        {
            socket.Send(buffer.AsSpan(0, (int)Math.Min(length, buffer.Length)));
        }
    }

    /// <summary>False if the other side closed the connection first.</summary>
    public static bool ReceiveBytes(Socket socket, long length)
    {
        var buffer = new byte[64 * 1024];
        while (length > 0)
        {
            var read = socket.Receive(buffer.AsSpan(0, (int)Math.Min(length, buffer.Length)));
            if (read == 0)
            {
                return false;
            }

            length -= read;
        }

        return true;
    }

    private static void Serve(Socket socket, bool greets)
    {
        using (socket)
        {
            socket.NoDelay = true;
            if (greets)
            {
                socket.Send("!"u8);
            }

            var order = new byte[9];
            if (!Fill(socket, order))
            {
                return;
            }

            var length = BinaryPrimitives.ReadInt64BigEndian(order.AsSpan(1));
            switch (order[0])
            {
                case Echo:
                    var buffer = new byte[4096];
                    while (socket.Receive(buffer) is var read and > 0)
                    {
                        socket.Send(buffer.AsSpan(0, read));
                    }

                    break;
                case Send:
                    SendBytes(socket, length);
                    Fill(socket, order);
                    break;
                case Receive:
                    if (ReceiveBytes(socket, length))
                    {
                        socket.Send("."u8);
                        Fill(socket, order);
                    }

                    break;
                case Quiet:
                    socket.Poll(TimeSpan.FromMinutes(10), SelectMode.SelectError);
                    break;
            }
        }
    }
}
