using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace NetAutomation.Tests.Support;

/// <summary>Loopback ports for processes that are started with a port as their setting.</summary>
internal static class Ports
{
    private static readonly ConcurrentDictionary<int, byte> _given = [];

    /// <summary>
    /// Returns a free port, and each port only once. It lies below the ports that the kernel gives to clients and above those of local
    /// stacks, since the process that asked for it binds it only later.
    /// </summary>
    public static int Free()
    {
        while (true)
        {
            var port = Random.Shared.Next(24_000, 32_000);
            if (!_given.TryAdd(port, 0))
            {
                continue;
            }

            try
            {
                using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
                socket.Bind(new IPEndPoint(IPAddress.Loopback, port));
                return port;
            }
            catch (SocketException fault) when (fault.SocketErrorCode == SocketError.AddressAlreadyInUse)
            {
                // Another process has it; it stays among those not to be tried again.
            }
        }
    }
}
