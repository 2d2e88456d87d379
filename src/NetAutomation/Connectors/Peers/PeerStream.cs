namespace NetAutomation.Connectors.Peers;

/// <summary>A stream to a device over a link that another replica holds.</summary>
internal sealed class PeerStream(DeviceDial dial, PeerContent content, HttpResponseMessage response, Stream toDevice, Stream fromDevice)
    : TunnelStream(dial)
{
    protected override Stream FromDevice => fromDevice;

    protected override Stream ToDevice => toDevice;

    protected override Task EndWrites()
    {
        content.End();
        return Task.CompletedTask;
    }

    protected override void SendReset()
    {
        // Both: an answer read to its end no longer resets the request, and a sent request no longer resets the answer.
        content.Reset();
        response.Dispose();
    }
}
