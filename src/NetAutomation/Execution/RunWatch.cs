using NetAutomation.Connectors;
using NetAutomation.Execution.Sandbox;
using NetAutomation.Runs;

namespace NetAutomation.Execution;

/// <summary>
/// For as long as a run lasts: renews its lease and its permit, and stops it when it was lost, a cancel was asked for, or the worker
/// leaves. A refused renewal kills at once; a database that cannot be reached does not, since no other worker can get the run then.
/// </summary>
internal sealed class RunWatch(ClaimedRun run, DeviceDialler dialler, Journals journals, TimeProvider clock) : IDisposable
{
    private static readonly TimeSpan _look = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan _renewal = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan _grace = TimeSpan.FromSeconds(20);
    private readonly CancellationTokenSource _over = new();
    private readonly Lock _gate = new();
    private readonly List<(SandboxRun Run, bool Looks)> _sandboxes = [];
    private bool _closing;

    /// <summary>The fence has moved on: nothing more may be written.</summary>
    public bool Lost { get; private set; }

    /// <summary>A cancel was asked for.</summary>
    public bool Cancelled { get; private set; }

    /// <summary>The worker leaves, or the run cannot be recorded: it ends here.</summary>
    public bool Stopped { get; private set; }

    public bool GoesOn => !Lost && !Cancelled && !Stopped;

    /// <summary>A sandbox to stop from now on.</summary>
    /// <param name="looks">It finds out what a change came to, which a cancel does not stop.</param>
    public void Attach(SandboxRun sandbox, bool looks = false)
    {
        lock (_gate)
        {
            // A guard has a second one, which checks, beside the one whose change waits.
            _sandboxes.RemoveAll(each => each.Run.Completion.IsCompleted);
            _sandboxes.Add((sandbox, looks));
            if (Lost || Stopped || (Cancelled && !looks))
            {
                _ = sandbox.Stop(Lost ? TimeSpan.Zero : _grace);
            }
        }
    }

    /// <summary>Reads whether a cancel was asked for.</summary>
    public async Task LookForCancel()
    {
        if (!Cancelled && await Ask(journal => journal.CancelRequested(run, _over.Token)) == true)
        {
            End(() => Cancelled = true, _grace, cancel: true);
        }
    }

    /// <summary>Ends the run early: the tasks under way may end, no further one starts.</summary>
    public void Stop() => End(() => Stopped = true, _grace);

    /// <summary>Gives no more permits: a stream that is left is cut by its connector.</summary>
    public void Close() => Volatile.Write(ref _closing, true);

    public Task Over() => _over.CancelAsync();

    public void Dispose() => _over.Dispose();

    public async Task Watch()
    {
        using var timer = new PeriodicTimer(_look, clock);
        var renewed = clock.GetTimestamp();
        try
        {
            while (!Lost && await timer.WaitForNextTickAsync(_over.Token))
            {
                if (clock.GetElapsedTime(renewed) >= _renewal && await Renew())
                {
                    renewed = clock.GetTimestamp();
                }

                if (!Lost)
                {
                    await LookForCancel();
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The run is over.
        }
    }

    /// <summary>
    /// True where the lease was renewed. A permit is given only while the run is not known to be lost: a frozen worker asks first.
    /// </summary>
    private async Task<bool> Renew()
    {
        var renewed = await Ask(journal => journal.Renew(run, _over.Token));
        if (renewed == false)
        {
            End(() => Lost = true, TimeSpan.Zero);
        }
        else if (!Volatile.Read(ref _closing))
        {
            dialler.Permit(run.Tenant, run.Id, run.Fence);
        }

        return renewed == true;
    }

    /// <summary>Null where the database gave no answer.</summary>
    private async Task<bool?> Ask(Func<RunJournal, Task<bool>> question)
    {
        try
        {
            return await journals.Use(question);
        }
        catch (Exception fault) when (fault is not OperationCanceledException)
        {
            return null;
        }
    }

    private void End(Action why, TimeSpan grace, bool cancel = false)
    {
        lock (_gate)
        {
            why();
            foreach (var (sandbox, _) in _sandboxes.Where(each => !(cancel && each.Looks)))
            {
                _ = sandbox.Stop(grace);
            }
        }
    }
}
