using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.Extensions.Options;
using NetAutomation.Edge.Listeners;
using NetAutomation.Web;

namespace NetAutomation.Edge.Proxy;

/// <summary>
/// Connection step in front of TLS: takes exactly one PROXY header, and only from the load balancer. The load balancer prepends and never
/// strips, so a second header is the client's own and is never believed.
/// </summary>
internal sealed class RequireProxyHeader(
    IOptions<EdgeOptions> options, LiveConnections live, EdgeMetrics metrics, TimeProvider time)
{
    private static readonly TimeSpan _deadline = TimeSpan.FromSeconds(5);
    private readonly IPNetwork[] _trusted = [.. options.Value.TrustedPeers.Select(IPNetwork.Parse)];

    public async Task Accept(ConnectionContext connection, ConnectionDelegate next, Listener listener)
    {
        var fault = "untrusted_peer";
        ProxyHeader? header = null;
        if (connection.RemoteEndPoint is IPEndPoint peer && IsTrusted(peer.Address))
        {
            connection.Features.Get<IConnectionSocketFeature>()?.Socket.SetSocketOption(
                SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
            (header, fault) = await Read(connection.Transport.Input);
        }

        if (header is { Local: false, EndpointId: null })
        {
            fault = "no_endpoint";
        }

        if (header is null || fault is not null)
        {
            metrics.Refused(listener, fault!);
            connection.Abort(new ConnectionAbortedException($"Refused: {fault}"));
            return;
        }

        connection.RemoteEndPoint = header.Source ?? connection.RemoteEndPoint;
        connection.LocalEndPoint = header.Destination ?? connection.LocalEndPoint;
        using var open = header.EndpointId is { } endpoint ? live.Open(endpoint, listener, connection) : null;
        connection.Features.Set(
            new EndpointFeature(header.EndpointId, cancel => open is null ? ValueTask.FromResult<TenantId?>(null) : open.Tenant(cancel)));
        await next(connection);
    }

    private async Task<(ProxyHeader? Header, string? Fault)> Read(PipeReader input)
    {
        using var deadline = new CancellationTokenSource(_deadline, time);
        try
        {
            while (true)
            {
                var read = await input.ReadAsync(deadline.Token);
                var buffer = read.Buffer;
                var state = ProxyHeader.Read(buffer, out var header, out var fault);
                if (state == ProxyRead.Complete)
                {
                    var end = buffer.GetPosition(header!.Length);
                    var second = ProxyHeader.IsSignature(buffer.Slice(end));
                    input.AdvanceTo(end);
                    return (header, second ? "second_header" : null);
                }

                input.AdvanceTo(buffer.Start, buffer.End);
                if (state == ProxyRead.Refused)
                {
                    return (null, fault);
                }

                // A TCP health check connects and closes without a byte.
                if (read.IsCompleted)
                {
                    return (null, buffer.IsEmpty ? "no_byte" : "cut");
                }
            }
        }
        catch (OperationCanceledException)
        {
            return (null, "deadline");
        }
        catch (IOException)
        {
            return (null, "reset");
        }
    }

    private bool IsTrusted(IPAddress address)
    {
        var plain = address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
        return Array.Exists(_trusted, network => network.Contains(plain));
    }
}
