using NetAutomation.Tunnel;

namespace NetAutomation.Connector;

/// <summary>A stream to a device from the moment it is admitted until its socket is closed.</summary>
internal sealed class OpenTunnel(Dial dial, object link) : IDisposable
{
    private readonly CancellationTokenSource _abort = new();
    private readonly TaskCompletionSource _closed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Dial Dial => dial;

    public object Link => link;

    public CancellationToken Aborted => _abort.Token;

    /// <summary>Streams this one overtook; the device is not dialled before they are closed.</summary>
    public Task OvertakenClosed { get; init; } = Task.CompletedTask;

    public Task Closed => _closed.Task;

    public void Abort()
    {
        try
        {
            _abort.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // Closed by itself in the meantime.
        }
    }

    public void Dispose()
    {
        _abort.Dispose();
        _closed.TrySetResult();
    }
}
