using System.Collections.Concurrent;

namespace NetAutomation.Runs;

/// <summary>
/// Doorbells: work is queued, or a run has news. They ring in this process at once, and in the others through <see
/// cref="Dispatch.RunBells"/>. They may be lost or doubled; a waiting task also polls.
/// </summary>
internal sealed class RunSignals(IHostApplicationLifetime life)
{
    private static readonly TimeSpan _oftenPoll = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan _seldomPoll = TimeSpan.FromSeconds(5);
    private readonly Bell _work = new();

    // Some runs share a bell: that needs no bookkeeping, and costs a needless look now and then.
    private readonly Bell[] _news = [.. Enumerable.Range(0, 1024).Select(_ => new Bell())];
    private readonly ConcurrentDictionary<RunId, byte> _pendingNews = new();
    private readonly Bell _pending = new();
    private int _pendingWork;

    /// <summary>How long to wait for news before looking anyway: shorter while no notifications of other processes come.</summary>
    public TimeSpan Poll => Listening ? _seldomPoll : _oftenPoll;

    /// <summary>This process ends: a waiting request is answered with what there is, and comes back to another process.</summary>
    public bool Leaving => life.ApplicationStopping.IsCancellationRequested;

    /// <summary>Notifications of other processes come.</summary>
    public bool Listening { get; set; }

    /// <summary>Completes when there is something to notify the other processes of.</summary>
    public Task Pending => _pending.Next;

    public void RingWork()
    {
        _work.Ring();
        Interlocked.Exchange(ref _pendingWork, 1);
        _pending.Ring();
    }

    public void RingNews(RunId run)
    {
        Of(run).Ring();
        _pendingNews.TryAdd(run, 0);
        _pending.Ring();
    }

    /// <summary>Take the task before reading, so that what happens between reading and waiting is not missed.</summary>
    public Task News(RunId run) => Of(run).Next;

    /// <summary>The same for a worker that claims.</summary>
    public Task Work => _work.Next;

    /// <summary>What to notify the other processes of: whether there is work, and which runs have news.</summary>
    public (bool Work, IReadOnlyList<RunId> News) TakePending()
    {
        var work = Interlocked.Exchange(ref _pendingWork, 0) == 1;
        return (work, [.. _pendingNews.Keys.Where(run => _pendingNews.TryRemove(run, out _))]);
    }

    /// <summary>Another process rang.</summary>
    public void Receive(bool work, IEnumerable<RunId> news)
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
