namespace NetAutomation.Runs;

/// <summary>
/// Doorbells inside one process: work is queued, or a run has news. They may be lost or doubled; whoever waits also polls.
/// </summary>
internal sealed class RunSignals
{
    private readonly Lock _gate = new();
    private TaskCompletionSource _work = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private TaskCompletionSource _news = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public void RingWork() => Ring(ref _work);

    public void RingNews() => Ring(ref _news);

    public Task Work(TimeSpan atMost, TimeProvider clock, CancellationToken cancel) => Wait(Volatile.Read(ref _work).Task, atMost, clock, cancel);

    /// <summary>Take the task before reading, so that what happens between reading and waiting is not missed.</summary>
    public Task News => Volatile.Read(ref _news).Task;

    public static async Task Wait(Task signal, TimeSpan atMost, TimeProvider clock, CancellationToken cancel)
    {
        try
        {
            await signal.WaitAsync(atMost, clock, cancel);
        }
        catch (TimeoutException)
        {
            // The poll is the safety net.
        }
    }

    private void Ring(ref TaskCompletionSource signal)
    {
        TaskCompletionSource rung;
        lock (_gate)
        {
            rung = signal;
            signal = new(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        rung.TrySetResult();
    }
}
