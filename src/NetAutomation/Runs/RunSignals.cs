using System.Collections.Concurrent;

namespace NetAutomation.Runs;

/// <summary>
/// Doorbells: work is queued, or a run has news. They ring in this process at once, and in the others through <see
/// cref="Dispatch.RunBells"/>. They may be lost or doubled; whoever waits also polls.
/// </summary>
internal sealed class RunSignals(IHostApplicationLifetime life)
{
    private static readonly TimeSpan _oftenPoll = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan _seldomPoll = TimeSpan.FromSeconds(5);
    private readonly Bell _work = new();

    // A few runs share a bell, which costs a look in vain now and then, and no bookkeeping.
    private readonly Bell[] _news = [.. Enumerable.Range(0, 1024).Select(_ => new Bell())];
    private readonly ConcurrentDictionary<RunId, byte> _tellNews = new();
    private readonly Bell _tell = new();
    private int _tellWork;

    /// <summary>How long to wait for news before looking anyway: shorter while other processes are not heard.</summary>
    public TimeSpan Poll => Heard ? _seldomPoll : _oftenPoll;

    /// <summary>This process ends: whoever waits is answered with what there is, and comes back to another.</summary>
    public bool Leaving => life.ApplicationStopping.IsCancellationRequested;

    /// <summary>Other processes are heard.</summary>
    public bool Heard { get; set; }

    /// <summary>Rings when there is something to tell the other processes.</summary>
    public Task Tell => _tell.Next;

    public void RingWork()
    {
        _work.Ring();
        Interlocked.Exchange(ref _tellWork, 1);
        _tell.Ring();
    }

    public void RingNews(RunId run)
    {
        Of(run).Ring();
        _tellNews.TryAdd(run, 0);
        _tell.Ring();
    }

    /// <summary>Take the task before reading, so that what happens between reading and waiting is not missed.</summary>
    public Task News(RunId run) => Of(run).Next;

    /// <summary>The same for whoever claims.</summary>
    public Task Work => _work.Next;

    /// <summary>What to tell the other processes: whether there is work, and which runs have news.</summary>
    public (bool Work, IReadOnlyList<RunId> News) Take()
    {
        var work = Interlocked.Exchange(ref _tellWork, 0) == 1;
        return (work, [.. _tellNews.Keys.Where(run => _tellNews.TryRemove(run, out _))]);
    }

    /// <summary>Another process rang.</summary>
    public void Hear(bool work, IEnumerable<RunId> news)
    {
        if (work)
        {
            _work.Ring();
        }

        foreach (var run in news)
        {
            Of(run).Ring();
        }
    }

    /// <summary>Something may have been missed: everybody looks.</summary>
    public void RingAll()
    {
        _work.Ring();
        foreach (var bell in _news)
        {
            bell.Ring();
        }
    }

    public async Task Wait(Task signal, TimeSpan atMost, TimeProvider clock, CancellationToken cancel)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancel, life.ApplicationStopping);
        try
        {
            await signal.WaitAsync(atMost, clock, either.Token);
        }
        catch (Exception over) when (over is TimeoutException || (over is OperationCanceledException && !cancel.IsCancellationRequested))
        {
            // The poll is the safety net.
        }
    }

    private Bell Of(RunId run) => _news[(uint)run.GetHashCode() % (uint)_news.Length];

    private sealed class Bell
    {
        private TaskCompletionSource _next = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task Next => Volatile.Read(ref _next).Task;

        public void Ring() => Interlocked.Exchange(ref _next, new(TaskCreationOptions.RunContinuationsAsynchronously)).TrySetResult();
    }
}
