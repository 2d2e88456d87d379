using System.Diagnostics;
using System.Net.Sockets;
using NetAutomation.AwsSimulator.State;

namespace NetAutomation.AwsSimulator.Nlb;

/// <summary>One client connection and its target connection.</summary>
internal sealed class Flow(Socket client, Socket target, FrontListener listener, Target chosen) : IDisposable
{
    private const int BufferSize = 64 * 1024;

    private long _lastBytes = Stopwatch.GetTimestamp();

    public FrontListener Listener => listener;
    public Target Target => chosen;
    public TimeSpan Idle => Stopwatch.GetElapsedTime(Interlocked.Read(ref _lastBytes));

    /// <summary>Forwards until both sides have finished; the header travels in one write with the client's first bytes.</summary>
    public async Task RunAsync(byte[] header)
    {
        client.NoDelay = true;
        target.NoDelay = true;
        try
        {
            await Task.WhenAll(
                PumpAsync(client, target, header, n => Interlocked.Add(ref listener.BytesIn, n)),
                PumpAsync(target, client, [], n => Interlocked.Add(ref listener.BytesOut, n)));
        }
        finally
        {
            Dispose();
        }
    }

    public void Reset()
    {
        Abort(client);
        Abort(target);
    }

    public void Dispose()
    {
        client.Dispose();
        target.Dispose();
    }

    /// <summary>Closes with RST rather than FIN.</summary>
    public static void Abort(Socket socket)
    {
        try
        {
            socket.LingerState = new LingerOption(true, 0);
        }
        catch (Exception error) when (error is SocketException or ObjectDisposedException)
        {
            // Already gone.
        }
        socket.Dispose();
    }

    private async Task PumpAsync(Socket from, Socket to, byte[] header, Action<int> count)
    {
        var buffer = GC.AllocateUninitializedArray<byte>(BufferSize);
        header.CopyTo(buffer, 0);
        var offset = header.Length;
        try
        {
            while (await from.ReceiveAsync(buffer.AsMemory(offset), SocketFlags.None) is > 0 and var read)
            {
                count(read);
                Interlocked.Exchange(ref _lastBytes, Stopwatch.GetTimestamp());
                for (var sent = 0; sent < offset + read;)
                {
                    sent += await to.SendAsync(buffer.AsMemory(sent, offset + read - sent), SocketFlags.None);
                }
                offset = 0;
            }
            to.Shutdown(SocketShutdown.Send);
        }
        catch (Exception error) when (error is SocketException or ObjectDisposedException)
        {
            Reset();
        }
    }
}
