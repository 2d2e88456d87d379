using System.Net;
using System.Net.Sockets;
using System.Text;
using NetAutomation.Tunnel;

namespace NetAutomation.Connector;

/// <summary>Tries to open a session to a device, up to its SSH banner (RFC 4253, section 4.2).</summary>
internal static class DeviceDoctor
{
    private const string Step = "device";
    private const int LongestBanner = 255;
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(5);

    public static async Task<Finding> Try(IPEndPoint device, AllowList? allowList, CancellationToken cancel)
    {
        if (allowList is null)
        {
            return new Finding(Step, "skipped", null, $"{device} needs the allow-list");
        }

        if (!allowList.Allows(device.Address, device.Port, DeviceSockets.OwnAddresses()))
        {
            return Wrong(
                "device-denied",
                $"{device} is not on the allow-list: add '{device.Address} {device.Port}' and restart the connector, if the service may "
                    + "reach it");
        }

        using var timeout = cancel.Within(_patience);
        using var socket = new Socket(device.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            await socket.ConnectAsync(device, timeout.Token);
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            return Wrong(
                "device-timeout",
                $"{device} is allowed but does not answer within {_patience.TotalSeconds:0} s: check its address, the route and the "
                    + "firewalls between");
        }
        catch (SocketException e)
        {
            return e.SocketErrorCode == SocketError.ConnectionReset ? Closed(device)
                : e.SocketErrorCode == SocketError.ConnectionRefused
                ? Wrong(
                    "device-refused",
                    $"{device} is allowed but refuses the connection: nothing listens there, or its access list rejects this host")
                : Wrong(
                    "device-unreachable",
                    $"{device} is allowed but cannot be reached ({e.SocketErrorCode}): check the route from this host");
        }

        try
        {
            return await Banner(socket, timeout.Token) is { } banner
                ? new Finding(Step, "ok", null, $"{device} is allowed and answers with {banner}")
                : Wrong("device-no-ssh", $"{device} is allowed and accepts TCP, but what it says is not SSH: check the port");
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            return Wrong(
                "device-silent",
                $"{device} is allowed and accepts TCP, but sends no SSH banner within {_patience.TotalSeconds:0} s: check the port, and "
                    + "whether its sessions are used up");
        }
        catch (SocketException)
        {
            return Closed(device);
        }
    }

    private static Finding Closed(IPEndPoint device) =>
        Wrong(
            "device-closed",
            $"{device} is allowed and accepts TCP, but resets the connection: its access list rejects this host, or its sessions are used "
                + "up");

    private static Finding Wrong(string code, string message) => new(Step, "wrong", code, message);

    /// <summary>The first line that begins with SSH-, as plain text; null where the device sends none.</summary>
    private static async Task<string?> Banner(Socket socket, CancellationToken cancel)
    {
        var buffer = new byte[4096];
        for (var length = 0; length < buffer.Length;)
        {
            var read = await socket.ReceiveAsync(buffer.AsMemory(length), cancel);
            length += read;
            var lines = Encoding.ASCII.GetString(buffer, 0, length).Split('\n');
            // Other lines may come first; the last line may still be incomplete.
            if (Array.Find(lines[..^1], l => l.StartsWith("SSH-", StringComparison.Ordinal))?.TrimEnd('\r') is
                { Length: <= LongestBanner } banner)
            {
                return new string([.. banner.Where(c => !char.IsControl(c))]);
            }

            if (read == 0)
            {
                break;
            }
        }

        return null;
    }
}
