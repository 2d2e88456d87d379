using System.Net;
using System.Net.Sockets;
using NetAutomation.AwsSimulator.State;

namespace NetAutomation.AwsSimulator.Nlb;

/// <summary>An address on which one NLB listener is reached, through an endpoint or, with none, directly.</summary>
internal sealed class FrontListener(Socket socket, int port, TargetGroup group, VpcEndpoint? endpoint)
{
    public long Accepted;
    public long Refused;
    public long BytesIn;
    public long BytesOut;

    public Socket Socket => socket;
    public int Port => port;
    public TargetGroup Group => group;
    public VpcEndpoint? Endpoint => endpoint;
    public IPEndPoint Address { get; } = (IPEndPoint)socket.LocalEndPoint!;

    public static FrontListener Open(IPEndPoint address, int port, TargetGroup group, VpcEndpoint? endpoint)
    {
        var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            socket.Bind(address);
            socket.Listen(512);
            return new FrontListener(socket, port, group, endpoint);
        }
        catch (SocketException)
        {
            socket.Dispose();
            throw;
        }
    }
}
