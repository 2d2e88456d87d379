namespace NetAutomation.Execution.Sandbox;

/// <summary>
/// Bounds the artifacts of one sandbox in memory: those that arrive, and those that wait for the reader of the run's events.
/// </summary>
internal sealed class ArtifactRoom
{
    public const int Most = 64 << 20;
    private readonly Lock _gate = new();
    private long _arriving;
    private long _waiting;
    private TaskCompletionSource _left = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>
    /// Waits while the reader has something to take. False where all that is held still arrives, so that no waiting helps.
    /// </summary>
    /// <param name="over">Nobody takes anything any more.</param>
    public async Task<bool> Enter(long bytes, Task over)
    {
        while (true)
        {
            Task left;
            lock (_gate)
            {
                if (_arriving + _waiting + bytes <= Most)
                {
                    _arriving += bytes;
                    return true;
                }

                if (_waiting == 0 || over.IsCompleted)
                {
                    return false;
                }

                left = _left.Task;
            }

            await Task.WhenAny(left, over);
        }
    }

    /// <summary>Bytes that arrived are dropped, or masked and so of another number.</summary>
    public void Change(long by)
    {
        lock (_gate)
        {
            _arriving += by;
        }
    }

    /// <summary>They are whole, and wait for the reader.</summary>
    public void Wait(long bytes)
    {
        lock (_gate)
        {
            _arriving -= bytes;
            _waiting += bytes;
        }
    }

    /// <summary>The reader has taken them.</summary>
    public void Leave(long bytes)
    {
        TaskCompletionSource left;
        lock (_gate)
        {
            _waiting -= bytes;
            (left, _left) = (_left, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        }

        left.SetResult();
    }
}
