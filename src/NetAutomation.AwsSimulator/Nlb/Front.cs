using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using NetAutomation.AwsSimulator.State;

namespace NetAutomation.AwsSimulator.Nlb;

/// <summary>The load balancer's data path: listeners per endpoint, and direct ones for clients inside the VPC.</summary>
internal sealed partial class Front(SimulatorOptions options, PrivateLink privateLink, LoadBalancer loadBalancer, ILogger<Front> log)
    : IDisposable
{
    private static readonly TimeSpan _connectTimeout = TimeSpan.FromSeconds(5);

    private readonly ConcurrentDictionary<FrontListener, bool> _listeners = new();
    private readonly ConcurrentDictionary<Flow, bool> _flows = new();

    public IReadOnlyList<FrontListener> Listeners => [.. _listeners.Keys.OrderBy(l => l.Endpoint?.Sequence ?? 0).ThenBy(l => l.Port)];

    public int OpenFlows(FrontListener listener) => _flows.Keys.Count(f => f.Listener == listener);

    public int OpenFlows(Target target) => _flows.Keys.Count(f => f.Target == target);

    public void Start()
    {
        privateLink.Opening = Open;
        privateLink.Cutting = Cut;
        loadBalancer.Cutting = target => CutFlows(f => f.Target == target);
        foreach (var listener in options.LoadBalancer.Listeners)
        {
            var group = loadBalancer.GroupNamed(listener.TargetGroup);
            if (listener.Direct is { } direct)
            {
                Serve(FrontListener.Open(IPEndPoint.Parse(direct), listener.Port, group, null));
            }
        }
    }

    /// <summary>Resets flows that have been silent for longer than the idle timeout.</summary>
    public void CutIdle()
    {
        var limit = TimeSpan.FromSeconds(options.LoadBalancer.IdleTimeoutSeconds);
        CutFlows(f => f.Idle > limit);
    }

    public void Dispose()
    {
        foreach (var listener in _listeners.Keys)
        {
            listener.Socket.Dispose();
        }
        CutFlows(_ => true);
    }

    private bool Open(VpcEndpoint endpoint)
    {
        var opened = new List<FrontListener>();
        try
        {
            foreach (var listener in options.LoadBalancer.Listeners)
            {
                opened.Add(
                    FrontListener.Open(
                        new IPEndPoint(endpoint.Address!, listener.Port), listener.Port, loadBalancer.GroupNamed(listener.TargetGroup),
                        endpoint));
            }
        }
        catch (SocketException error)
        {
            LogCannotListen(log, endpoint.Address!, error.Message);
            opened.ForEach(l => l.Socket.Dispose());
            return false;
        }
        opened.ForEach(Serve);
        return true;
    }

    private void Cut(VpcEndpoint endpoint, bool close)
    {
        if (endpoint.Address is null)
        {
            return;
        }
        foreach (var listener in _listeners.Keys.Where(l => close && l.Endpoint == endpoint))
        {
            _listeners.TryRemove(listener, out _);
            listener.Socket.Dispose();
        }
        CutFlows(f => f.Listener.Endpoint == endpoint);
    }

    private void CutFlows(Func<Flow, bool> predicate)
    {
        foreach (var flow in _flows.Keys.Where(predicate))
        {
            flow.Reset();
        }
    }

    private void Serve(FrontListener listener)
    {
        _listeners[listener] = true;
        _ = AcceptAsync(listener);
    }

    private async Task AcceptAsync(FrontListener listener)
    {
        while (true)
        {
            try
            {
                var client = await listener.Socket.AcceptAsync();
                _ = ForwardAsync(listener, client);
            }
            catch (Exception error) when (error is SocketException or ObjectDisposedException)
            {
                if (!_listeners.ContainsKey(listener)
                    || error is ObjectDisposedException or SocketException { SocketErrorCode: SocketError.OperationAborted })
                {
                    return;
                }
            }
        }
    }

    private async Task ForwardAsync(FrontListener listener, Socket client)
    {
        Socket? target = null;
        try
        {
            if (!Admits(listener) || loadBalancer.Pick(listener.Group) is not { } pick)
            {
                Interlocked.Increment(ref listener.Refused);
                Flow.Abort(client);
                return;
            }
            using var limit = new CancellationTokenSource(_connectTimeout);
            target = await ConnectAsync(pick.Target.EndPoint, limit.Token);
            var header = pick.ProxyProtocol
                ? ProxyHeader.Proxy((IPEndPoint)client.RemoteEndPoint!, listener.Address, listener.Endpoint?.Id) : [];
            using var flow = new Flow(client, target, listener, pick.Target);
            _flows[flow] = true;
            Interlocked.Increment(ref listener.Accepted);
            try
            {
                // The endpoint may have been rejected between the first look and the entry in the table.
                if (Admits(listener))
                {
                    await flow.RunAsync(header);
                }
                else
                {
                    flow.Reset();
                }
            }
            finally
            {
                _flows.TryRemove(flow, out _);
            }
        }
        catch (Exception error) when (error is SocketException or ObjectDisposedException or OperationCanceledException)
        {
            Interlocked.Increment(ref listener.Refused);
            Flow.Abort(client);
            target?.Dispose();
        }
    }

    private bool Admits(FrontListener listener) => listener.Endpoint is not { } endpoint || privateLink.IsAvailable(endpoint);

    public static async Task<Socket> ConnectAsync(IPEndPoint target, CancellationToken cancel)
    {
        var socket = new Socket(target.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            await socket.ConnectAsync(target, cancel);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    [LoggerMessage(20, LogLevel.Information, "Cannot listen on {Address}: {Reason}")]
    private static partial void LogCannotListen(ILogger log, IPAddress address, string reason);
}
