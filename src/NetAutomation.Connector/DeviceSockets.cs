using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using NetAutomation.Tunnel;

namespace NetAutomation.Connector;

/// <summary>Connects to a device if the allow-list permits the address that is dialled.</summary>
internal sealed class DeviceSockets(
    AllowList allowList, DeviceLimits limits, Func<string, CancellationToken, Task<IPAddress[]>> resolve,
    Func<IReadOnlyCollection<IPAddress>> ownAddresses, TimeProvider clock)
{
    private static readonly TimeSpan _timeout = TimeSpan.FromSeconds(5);

    public DeviceSockets(AllowList allowList, DeviceLimits limits, TimeProvider clock)
        : this(allowList, limits, Dns.GetHostAddressesAsync, OwnAddresses, clock)
    {
    }

    /// <summary>A connected socket with its place among the device's sessions, or a code of <see cref="DialCodes"/>.</summary>
    public async Task<(Socket? Socket, IDisposable? Place, string Code)> Connect(
        string host, int port, TimeSpan deadline, CancellationToken cancel)
    {
        var started = clock.GetTimestamp();
        using var timeout = new CancellationTokenSource(deadline < _timeout ? deadline : _timeout, clock);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancel, timeout.Token);
        IDisposable? place = null;
        Socket? socket = null;
        try
        {
            if (await Pick(host, port, both.Token) is not { } address)
            {
                return (null, null, DialCodes.NotAllowed);
            }

            var device = new IPEndPoint(address, port);
            place = await limits.Enter(device, deadline, both.Token);
            if (place is null)
            {
                return (null, null, DialCodes.Busy);
            }

            // The time-out counts the device's delay, not the wait for a place.
            var left = deadline - clock.GetElapsedTime(started);
            timeout.CancelAfter(left < _timeout ? left : _timeout);
            socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            await socket.ConnectAsync(device, both.Token);
            return (socket, place, "");
        }
        catch (OperationCanceledException) when (timeout.IsCancellationRequested && !cancel.IsCancellationRequested)
        {
            Drop();
            return (null, null, DialCodes.Timeout);
        }
        catch (SocketException e)
        {
            Drop();
            return (null, null, CodeOf(e.SocketErrorCode));
        }
        catch
        {
            Drop();
            throw;
        }

        void Drop()
        {
            socket?.Dispose();
            place?.Dispose();
        }
    }

    /// <summary>Resolves a name once, so a later answer of the name server cannot redirect the dial.</summary>
    private async Task<IPAddress?> Pick(string host, int port, CancellationToken cancel)
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
            candidates = await resolve(host, cancel);
        }

        var own = ownAddresses();
        return candidates.Select(AllowList.Normalise).FirstOrDefault(a => allowList.Allows(a, port, own));
    }

    private static string CodeOf(SocketError error) => error switch
    {
        SocketError.ConnectionRefused => DialCodes.Refused,
        SocketError.HostNotFound or SocketError.TryAgain or SocketError.NoData or SocketError.NoRecovery => DialCodes.Dns,
        SocketError.HostUnreachable or SocketError.NetworkUnreachable or SocketError.NetworkDown or SocketError.HostDown =>
            DialCodes.Unreachable,
        SocketError.TimedOut => DialCodes.Timeout,
        _ => DialCodes.Io,
    };

    public static List<IPAddress> OwnAddresses() =>
        [.. NetworkInterface.GetAllNetworkInterfaces().SelectMany(i => i.GetIPProperties().UnicastAddresses).Select(a => a.Address)];
}
