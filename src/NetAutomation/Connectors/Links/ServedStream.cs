using Microsoft.AspNetCore.Http.Features;
using NetAutomation.Tunnel;

namespace NetAutomation.Connectors.Links;

/// <summary>A tunnel seen from its HTTP/2 server: the request is one direction, the answer the other.</summary>
internal sealed class ServedStream(HttpContext http, DeviceDial dial) : TunnelStream(dial)
{
    protected override Stream FromDevice { get; } = http.Request.Body;

    protected override Stream ToDevice { get; } = http.Response.Body;

    protected override bool IsLost => http.RequestAborted.IsCancellationRequested;

    protected override Task EndWrites() => http.Response.CompleteAsync();

    protected override void SendReset()
    {
        try
        {
            http.Features.Get<IHttpResetFeature>()?.Reset(TunnelProtocol.Http2Cancel);
        }
        catch (ObjectDisposedException)
        {
            // The request ended in the same moment.
        }
    }
}
