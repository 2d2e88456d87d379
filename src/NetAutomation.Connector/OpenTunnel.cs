using System.Diagnostics.CodeAnalysis;
using NetAutomation.Tunnel;

namespace NetAutomation.Connector;

/// <summary>A stream to a device from the moment it is admitted until its socket is closed.</summary>
[SuppressMessage(
    "Design", "CA1001",
    Justification = "A cancellation source without a timer holds no resources; once disposed, it would no longer cancel waiters.")]
[SuppressMessage("Design", "S2930", Justification = "The same.")]
internal sealed class OpenTunnel(Dial dial, object link)
{
    private readonly CancellationTokenSource _abort = new();
    private readonly TaskCompletionSource _closed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Dial Dial => dial;

    public object Link => link;

    public CancellationToken Aborted => _abort.Token;

    /// <summary>Completes when the streams with a lower fence are closed; only then the device is dialled.</summary>
    public Task OvertakenClosed { get; init; } = Task.CompletedTask;

    public Task Closed => _closed.Task;

    /// <summary>
    /// Returns at once: callbacks run on other threads, so that no caller, such as a read loop of HttpClient, waits for itself.
    /// </summary>
    public void Abort() => _ = _abort.CancelAsync();

    /// <summary>The device's socket is closed.</summary>
    public void Close() => _closed.TrySetResult();
}
