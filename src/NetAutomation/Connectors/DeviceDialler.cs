using System.Diagnostics;
using NetAutomation.Connectors.Links;
using NetAutomation.Connectors.Peers;
using NetAutomation.Tunnel;
using NetAutomation.Web.Telemetry;

namespace NetAutomation.Connectors;

/// <summary>The way to a device, for runs and probes: over a link of this process, else over one of another replica.</summary>
internal sealed class DeviceDialler(LinkHub hub, PeerLinks peers, IDialGate gate)
{
    /// <summary>Opens a stream over any live link of the site; another link is tried only while the device was not contacted.</summary>
    public async Task<DialResult> Dial(DeviceDial dial, TimeSpan timeout, CancellationToken cancel)
    {
        if (dial.Run is not null)
        {
            return await DialAnywhere(dial, timeout, cancel);
        }

        if (await gate.FenceOutsideRuns(dial.Tenant, dial.Device, cancel) is not { } fence)
        {
            return Refused(dial);
        }

        var result = await DialAnywhere(dial with { Fence = fence }, timeout, cancel);
        // Only a run that has come meanwhile has a higher fence.
        return result.Code == DialCodes.Fenced ? Refused(dial) : result;
    }

    private async Task<DialResult> DialAnywhere(DeviceDial dial, TimeSpan timeout, CancellationToken cancel)
    {
        var replicas = await peers.Serving(dial.Tenant, dial.Site, cancel);
        if (replicas.Count > 0 && dial.Exclusive && await MayDial(dial, cancel))
        {
            _ = peers.TellFence(dial, replicas);
        }

        var last = await DialHere(dial, timeout, cancel);
        foreach (var replica in replicas)
        {
            if (last.Stream is not null || !DialCodes.AnotherLinkMayServe(last.Code!))
            {
                break;
            }

            last = await peers.Dial(replica, dial, timeout, cancel);
        }

        return last;
    }

    /// <summary>The same over the links of this process alone.</summary>
    public async Task<DialResult> DialHere(DeviceDial dial, TimeSpan timeout, CancellationToken cancel)
    {
        var last = DialResult.Failed(DialCodes.ConnectorAbsent, "No connector of the site is attached.");
        foreach (var link in hub.Serving(dial.Tenant, dial.Site))
        {
            if (!await MayDial(dial, cancel))
            {
                return Refused(dial);
            }

            if (dial.Exclusive)
            {
                hub.TellFence(dial, link);
            }

            last = await Tunnel(link, dial, timeout, cancel);
            if (last.Stream is not null || !DialCodes.AnotherLinkMayServe(last.Code!))
            {
                return last;
            }
        }

        return last;
    }

    /// <summary>Lets the streams of a run live for the permit's time; without a further one the connectors cut them.</summary>
    public void Permit(TenantId tenant, RunId run, long fence)
    {
        hub.Permit(tenant, run, fence);
        _ = peers.Permit(tenant, run, fence);
    }

    /// <summary>
    /// Resets every stream of the run up to this fence and asks the tenant's connectors to confirm. False: not certain yet, ask again.
    /// </summary>
    public async Task<bool> ConfirmNoStreams(TenantId tenant, RunId run, long fence, TimeSpan within, CancellationToken cancel)
    {
        var confirmed = await Task.WhenAll(
            hub.ConfirmNoStreams(tenant, run, fence, within, cancel), peers.ConfirmNoStreams(tenant, run, fence, within, cancel));
        return confirmed.All(c => c);
    }

    /// <summary>True while a connector of the site is attached, here or at another replica.</summary>
    public async Task<bool> HasLink(TenantId tenant, SiteId site, CancellationToken cancel) =>
        hub.Serving(tenant, site).Count > 0 || (await peers.Serving(tenant, site, cancel)).Count > 0;

    /// <summary>The connector has no telemetry; its side of the stream shows here, from the request to the end.</summary>
    private static async Task<DialResult> Tunnel(LinkSession link, DeviceDial dial, TimeSpan timeout, CancellationToken cancel)
    {
        var span = Spans.Start("tunnel", ActivityKind.Client);
        DialResult? result = null;
        try
        {
            return result = await link.Dial(dial, timeout, cancel);
        }
        finally
        {
            if (span is not null && result?.Stream is { } stream)
            {
                _ = stream.Finished.ContinueWith(
                    _ => span.Dispose(), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
            }
            else
            {
                span?.SetStatus(ActivityStatusCode.Error, result?.Code);
                span?.Dispose();
            }
        }
    }

    private static DialResult Refused(DeviceDial dial) => dial.Run is null
        ? DialResult.Failed(DialCodes.Held, "A run holds this device.")
        : DialResult.Failed(DialCodes.Fenced, "The run does not hold this device.");

    // Outside a run nothing raises a fence.
    private async Task<bool> MayDial(DeviceDial dial, CancellationToken cancel) =>
        dial is { Run: not null } or { Exclusive: false } && await gate.MayDial(dial, cancel);
}
