using System.IO.Pipelines;
using System.Net;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using NetAutomation.Web;

namespace NetAutomation.Edge.Listeners;

/// <summary>
/// Sockets of which no more are accepted than the budget allows. It decides where a socket is accepted: a step of the connection would run
/// later, when many more may have been accepted.
/// </summary>
internal sealed class BudgetedTransport(SocketTransportFactory sockets, ConnectionBudget budget, EdgeAddresses addresses)
    : IConnectionListenerFactory
{
    public async ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken = default) =>
        new BudgetedListener(await sockets.BindAsync(endpoint, cancellationToken), budget, addresses.ListenerAt(endpoint));

    private sealed class BudgetedListener(IConnectionListener sockets, ConnectionBudget budget, Listener listener) : IConnectionListener
    {
        public EndPoint EndPoint => sockets.EndPoint;

        public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default)
        {
            while (await sockets.AcceptAsync(cancellationToken) is { } connection)
            {
                if (budget.Admit(listener, connection) is { } ticket)
                {
                    connection.Features.Set(ticket);
                    return new CountedConnection(connection, ticket);
                }

                connection.Abort(new ConnectionAbortedException("There is no place for the connection."));
                await connection.DisposeAsync();
            }

            return null;
        }

        public ValueTask UnbindAsync(CancellationToken cancellationToken = default) => sockets.UnbindAsync(cancellationToken);

        public ValueTask DisposeAsync() => sockets.DisposeAsync();
    }

    /// <summary>A connection that gives its places back after its descriptor.</summary>
    private sealed class CountedConnection(ConnectionContext socket, ConnectionTicket ticket) : ConnectionContext
    {
        public override string ConnectionId
        {
            get => socket.ConnectionId;
            set => socket.ConnectionId = value;
        }

        public override IFeatureCollection Features => socket.Features;

        public override IDictionary<object, object?> Items
        {
            get => socket.Items;
            set => socket.Items = value;
        }

        public override IDuplexPipe Transport
        {
            get => socket.Transport;
            set => socket.Transport = value;
        }

        public override CancellationToken ConnectionClosed
        {
            get => socket.ConnectionClosed;
            set => socket.ConnectionClosed = value;
        }

        public override EndPoint? LocalEndPoint
        {
            get => socket.LocalEndPoint;
            set => socket.LocalEndPoint = value;
        }

        public override EndPoint? RemoteEndPoint
        {
            get => socket.RemoteEndPoint;
            set => socket.RemoteEndPoint = value;
        }

        public override void Abort(ConnectionAbortedException abortReason) => socket.Abort(abortReason);

        public override async ValueTask DisposeAsync()
        {
            try
            {
                await socket.DisposeAsync();
            }
            finally
            {
                await base.DisposeAsync();
                ticket.Dispose();
            }
        }
    }
}
