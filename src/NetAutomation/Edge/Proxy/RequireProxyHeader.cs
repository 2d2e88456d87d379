using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Options;
using NetAutomation.Edge.Listeners;
using NetAutomation.Persistence;
using NetAutomation.Web;

namespace NetAutomation.Edge.Proxy;

/// <summary>
/// Connection step in front of TLS: reads exactly one PROXY header, and only from the load balancer. The load balancer adds a header in
/// front and removes none, so a second header comes from the client and is never believed.
/// </summary>
internal sealed class RequireProxyHeader(
    IOptions<EdgeOptions> options, LiveConnections live, EdgeMetrics metrics, TimeProvider clock)
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

        var ticket = connection.Features.GetRequiredFeature<ConnectionTicket>();
        if (header is { EndpointId: { } through })
        {
            fault ??= ticket.Identify(through);
        }

        if (header is null || fault is not null)
        {
            Refuse(connection, listener, fault!);
            return;
        }

        connection.RemoteEndPoint = header.Source ?? connection.RemoteEndPoint;
        connection.LocalEndPoint = header.Destination ?? connection.LocalEndPoint;
        using var open = header.EndpointId is { } endpoint ? live.Open(endpoint, listener, connection) : null;
        if (open is not null && await TenantOf(open) is { } tenant && ticket.Take(Share.Tenant, tenant) is { } refusal)
        {
            Refuse(connection, listener, refusal);
            return;
        }

        connection.Features.Set(
            new EndpointFeature(header.EndpointId, cancel => open is null ? ValueTask.FromResult<TenantId?>(null) : open.Tenant(cancel)));
        await next(connection);
    }

    private void Refuse(ConnectionContext connection, Listener listener, string fault)
    {
        metrics.Refused(listener, fault);
        connection.Abort(new ConnectionAbortedException($"Refused: {fault}"));
    }

    /// <summary>Whose budget the connection takes; null where the database does not say: its endpoint's budget holds anyway.</summary>
    private async Task<string?> TenantOf(LiveConnections.OpenConnection open)
    {
        using var deadline = new CancellationTokenSource(_deadline, clock);
        try
        {
            return await open.Tenant(deadline.Token) is { } tenant ? $"{tenant}" : "no tenant";
        }
        catch (Exception fault) when (fault is OperationCanceledException || Outage.Is(fault))
        {
            return null;
        }
    }

    private async Task<(ProxyHeader? Header, string? Fault)> Read(PipeReader input)
    {
        using var deadline = new CancellationTokenSource(_deadline, clock);
        try
        {
            while (true)
            {
                var read = await input.ReadAsync(deadline.Token);
                var buffer = read.Buffer;
                var (header, fault) = ProxyHeader.Read(buffer);
                if (header is not null)
                {
                    var end = buffer.GetPosition(header.Length);
                    var second = ProxyHeader.IsSignature(buffer.Slice(end));
                    input.AdvanceTo(end);
                    return (header, second ? "second_header" : null);
                }

                input.AdvanceTo(buffer.Start, buffer.End);
                // A TCP health check connects and closes without a byte.
                fault ??= !read.IsCompleted ? null : buffer.IsEmpty ? "no_byte" : "cut";
                if (fault is not null)
                {
                    return (null, fault);
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
