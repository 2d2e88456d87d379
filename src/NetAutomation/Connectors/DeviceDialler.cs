using NetAutomation.Connectors.Links;
using NetAutomation.Tunnel;

namespace NetAutomation.Connectors;

/// <summary>The way to a device, for runs and probes.</summary>
internal sealed class DeviceDialler(LinkHub hub, IDialGate gate)
{
    /// <summary>Opens a stream over any live link of the site; another link is tried only while no byte has flowed.</summary>
    public async Task<DialResult> Dial(DeviceDial dial, TimeSpan timeout, CancellationToken cancel)
    {
        var last = DialResult.Failed(DialCodes.ConnectorAbsent, "No connector of the site is attached.");
        foreach (var link in hub.Serving(dial.Tenant, dial.Site))
        {
            var allowed = dial.Run is null ? dial is { Exclusive: false, Fence: 0 } : await gate.MayDial(dial, cancel);
            if (!allowed)
            {
                return DialResult.Failed(DialCodes.Fenced, "The run does not hold this device.");
            }

            if (dial.Exclusive)
            {
                hub.TellFence(dial, link);
            }

            last = await link.Dial(dial, timeout, cancel);
            if (last.Stream is not null || !DialCodes.AnotherLinkMayServe(last.Code!))
            {
                return last;
            }
        }

        return last;
    }

    /// <summary>Lets the streams of a run live for the permit's time; without a further one the connectors cut them.</summary>
    public void Permit(TenantId tenant, RunId run, long fence) => hub.Permit(tenant, run, fence);

    /// <summary>
    /// Resets every stream of the run up to this fence and asks the tenant's connectors to confirm. False: not certain yet, ask again.
    /// </summary>
    public Task<bool> ConfirmNoStreams(TenantId tenant, RunId run, long fence, TimeSpan within, CancellationToken cancel) =>
        hub.ConfirmNoStreams(tenant, run, fence, within, cancel);

    /// <summary>True while a connector of the site is attached.</summary>
    public bool HasLink(TenantId tenant, SiteId site) => hub.Serving(tenant, site).Count > 0;
}
