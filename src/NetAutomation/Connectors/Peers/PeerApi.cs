using Microsoft.AspNetCore.Http.Features;
using NetAutomation.Connectors.Links;
using NetAutomation.Tunnel;
using NetAutomation.Web;

namespace NetAutomation.Connectors.Peers;

/// <summary>The calls of other replicas, on the peer listener.</summary>
internal sealed partial class PeerApi(LinkHub hub, DeviceDialler dialler, ClusterKey key, PeerIdentity self, ILogger<PeerApi> log)
{
    public void Map(IEndpointRouteBuilder app)
    {
        app.MapPost(PeerCall.DialsPath, Dial);
        app.MapPost(PeerCall.PermitsPath, Permit);
        app.MapPost(PeerCall.FencesPath, TellFence);
        app.MapPost(PeerCall.ConfirmPath, Confirm);
    }

    private async Task Dial(HttpContext http)
    {
        if (Admit(http, PeerCall.DialsPath) is not { } call)
        {
            return;
        }

        if (call.Dial() is not { } dial)
        {
            http.Response.StatusCode = StatusCodes.Status400BadRequest;
            return;
        }

        http.Features.GetRequiredFeature<IHttpMaxRequestBodySizeFeature>().MaxRequestBodySize = null;
        var result = await dialler.DialHere(dial, call.Within, http.RequestAborted);
        if (result.Stream is not { } device)
        {
            http.Response.StatusCode = StatusCodes.Status502BadGateway;
            http.Response.Headers[PeerCall.CodeHeader] = result.Code;
            if (result.Detail is { } detail)
            {
                http.Response.Headers[PeerCall.DetailHeader] = Uri.EscapeDataString(detail);
            }

            return;
        }

        http.Response.ContentType = "application/octet-stream";
        await using var caller = new ServedStream(http, dial);
        try
        {
            await using var lost = http.RequestAborted.Register(() =>
            {
                caller.Abort();
                device.Abort();
            });
            // StartAsync alone leaves the headers in the buffer, and the caller waits for them.
            await http.Response.Body.FlushAsync(http.RequestAborted);
            var pumps = Task.WhenAll(Pump(caller, device), Pump(device, caller));
            await Task.WhenAny(device.Finished, pumps);
            if (device.IsReset)
            {
                // After the device has ended, nobody reads it any more and would see the reset.
                caller.Abort();
            }

            await pumps;
        }
        finally
        {
            caller.Abort();
            device.Abort();
        }
    }

    private static async Task Pump(TunnelStream from, TunnelStream to)
    {
        try
        {
            await StreamPump.Copy(from, to, CancellationToken.None);
            await to.CompleteWrites();
        }
        catch (Exception fault)
        {
            // Reset on one side; now on the other as well.
            to.Abort();
            from.Abort();
            if (fault is not IOException)
            {
                throw;
            }
        }
    }

    private Task Permit(HttpContext http)
    {
        if (Admit(http, PeerCall.PermitsPath) is { Run: { } run } call)
        {
            hub.Permit(new(call.Tenant), new(run), call.Fence);
        }

        return Task.CompletedTask;
    }

    private Task TellFence(HttpContext http)
    {
        if (Admit(http, PeerCall.FencesPath)?.Dial() is { } dial)
        {
            hub.TellFence(dial);
        }

        return Task.CompletedTask;
    }

    private async Task Confirm(HttpContext http)
    {
        if (Admit(http, PeerCall.ConfirmPath) is not { Run: { } run } call)
        {
            return;
        }

        var sessions = hub.All.Where(l => l.Tenant.Value == call.Tenant).Select(l => l.Id.Value).ToList();
        var confirmed = await hub.ConfirmNoStreams(new(call.Tenant), new(run), call.Fence, call.Within, http.RequestAborted);
        await http.Response.WriteAsJsonAsync(new PeerConfirmation(confirmed, sessions), Json.Api, "application/json", http.RequestAborted);
    }

    /// <summary>Null where the answer is already given.</summary>
    private PeerCall? Admit(HttpContext http, string path)
    {
        if (HttpProtocol.IsHttp2(http.Request.Protocol)
            && key.Open(http.Request.Headers[PeerCall.Header].ToString(), path, self.Url ?? "") is { } call)
        {
            ProofFeature.Met(http);
            return call;
        }

        Log.Refused(log, path);
        http.Response.StatusCode = StatusCodes.Status401Unauthorized;
        return null;
    }

    private static partial class Log
    {
        [LoggerMessage(
            503, LogLevel.Warning,
            "A call to {Path} without a valid token was refused; do the clocks and cluster keys of the replicas agree?")]
        public static partial void Refused(ILogger logger, string path);
    }
}
