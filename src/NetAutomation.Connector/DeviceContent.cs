using System.Net;
using NetAutomation.Tunnel;

namespace NetAutomation.Connector;

/// <summary>The request body of a tunnel: what the device sends, until it closes its side.</summary>
internal sealed class DeviceContent(Stream device, CancellationToken aborted) : HttpContent
{
    private readonly TaskCompletionSource _sent = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes with END_STREAM; fails when the device or the service reset the stream.</summary>
    public Task Sent => _sent.Task;

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
        SerializeToStreamAsync(stream, context, default);

    // An exception here makes HttpClient send RST_STREAM, so a device's reset never looks like a normal end.
    protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        using var both = CancellationTokenSource.CreateLinkedTokenSource(aborted, cancellationToken);
        try
        {
            await stream.FlushAsync(both.Token);
            await StreamPump.Copy(device, stream, both.Token);
            _sent.TrySetResult();
        }
        catch (Exception e)
        {
            _sent.TrySetException(e);
            throw;
        }
    }

    protected override bool TryComputeLength(out long length)
    {
        length = 0;
        return false;
    }
}
