using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using NetAutomation.Tunnel;

namespace NetAutomation.Connector;

/// <summary>Connects to a device after the allow-list has agreed to the very address that is dialled.</summary>
internal sealed class DeviceSockets(AllowList allowList, Func<string, CancellationToken, Task<IPAddress[]>> resolve, Func<IReadOnlyCollection<IPAddress>> ownAddresses, TimeProvider time)
{
    private static readonly TimeSpan _timeout = TimeSpan.FromSeconds(5);

    public DeviceSockets(AllowList allowList, TimeProvider time) : this(allowList, Dns.GetHostAddressesAsync, OwnAddresses, time)
    {
    }

    /// <summary>A connected socket, or a code of <see cref="DialCodes"/>.</summary>
    public async Task<(Socket? Socket, string Code)> Connect(string host, int port, TimeSpan deadline, CancellationToken ct)
    {
        using var timeout = new CancellationTokenSource(deadline < _timeout ? deadline : _timeout, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(ct, timeout.Token);
        Socket? socket = null;
        try
        {
            if (await Pick(host, port, both.Token) is not { } address)
            {
                return (null, DialCodes.NotAllowed);
            }

            socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            await socket.ConnectAsync(new IPEndPoint(address, port), both.Token);
            return (socket, "");
        }
        catch (OperationCanceledException) when (timeout.IsCancellationRequested && !ct.IsCancellationRequested)
        {
            socket?.Dispose();
            return (null, DialCodes.Timeout);
        }
        catch (SocketException e)
        {
            socket?.Dispose();
            return (null, CodeOf(e.SocketErrorCode));
        }
        catch
        {
            socket?.Dispose();
            throw;
        }
    }

    /// <summary>Names are resolved once here, so a second answer of the name server cannot move the dial.</summary>
    private async Task<IPAddress?> Pick(string host, int port, CancellationToken ct)
    {
        IPAddress[] candidates;
        if (IPAddress.TryParse(host, out var literal))
        {
            // "010.0.0.1", "0x0a000001" and "167772161" mean different hosts to different readers: refused.
            if (literal.AddressFamily == AddressFamily.InterNetwork && literal.ToString() != host)
            {
                return null;
            }

            candidates = [literal];
        }
        else
        {
            candidates = await resolve(host, ct);
        }

        var own = ownAddresses();
        return candidates.Select(AllowList.Normalise).FirstOrDefault(a => allowList.Allows(a, port, own));
    }

    private static string CodeOf(SocketError error) => error switch
    {
        SocketError.ConnectionRefused => DialCodes.Refused,
        SocketError.HostNotFound or SocketError.TryAgain or SocketError.NoData or SocketError.NoRecovery => DialCodes.Dns,
        SocketError.HostUnreachable or SocketError.NetworkUnreachable or SocketError.NetworkDown or SocketError.HostDown => DialCodes.Unreachable,
        SocketError.TimedOut => DialCodes.Timeout,
        _ => DialCodes.Io,
    };

    public static List<IPAddress> OwnAddresses() =>
        [.. NetworkInterface.GetAllNetworkInterfaces().SelectMany(i => i.GetIPProperties().UnicastAddresses).Select(a => a.Address)];
}
