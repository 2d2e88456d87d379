using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using NetAutomation.Tunnel;

namespace NetAutomation.Connector;

/// <summary>Connects to a device after the allow-list has agreed to the very address that is dialled.</summary>
internal sealed class DeviceSockets(
    AllowList allowList, DeviceLimits limits, Func<string, CancellationToken, Task<IPAddress[]>> resolve,
    Func<IReadOnlyCollection<IPAddress>> ownAddresses, TimeProvider time)
{
    private static readonly TimeSpan _timeout = TimeSpan.FromSeconds(5);

    public DeviceSockets(AllowList allowList, DeviceLimits limits, TimeProvider time)
        : this(allowList, limits, Dns.GetHostAddressesAsync, OwnAddresses, time)
    {
    }

    /// <summary>A connected socket with its place among the device's sessions, or a code of <see cref="DialCodes"/>.</summary>
    public async Task<(Socket? Socket, IDisposable? Place, string Code)> Connect(
        string host, int port, TimeSpan deadline, CancellationToken ct)
    {
        var started = time.GetTimestamp();
        using var timeout = new CancellationTokenSource(deadline < _timeout ? deadline : _timeout, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(ct, timeout.Token);
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

            // Waiting for its turn is not the device's fault.
            var left = deadline - time.GetElapsedTime(started);
            timeout.CancelAfter(left < _timeout ? left : _timeout);
            socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            await socket.ConnectAsync(device, both.Token);
            return (socket, place, "");
        }
        catch (OperationCanceledException) when (timeout.IsCancellationRequested && !ct.IsCancellationRequested)
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
        SocketError.HostUnreachable or SocketError.NetworkUnreachable or SocketError.NetworkDown or SocketError.HostDown =>
            DialCodes.Unreachable,
        SocketError.TimedOut => DialCodes.Timeout,
        _ => DialCodes.Io,
    };

    public static List<IPAddress> OwnAddresses() =>
        [.. NetworkInterface.GetAllNetworkInterfaces().SelectMany(i => i.GetIPProperties().UnicastAddresses).Select(a => a.Address)];
}
