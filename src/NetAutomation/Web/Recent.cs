using System.Collections.Concurrent;

namespace NetAutomation.Web;

/// <summary>Answers by name, each kept for a short time. One question is asked once, however many wait for it.</summary>
internal sealed class Recent<T>(TimeProvider clock, TimeSpan fresh)
{
    private const int Most = 20_000;
    private readonly ConcurrentDictionary<string, Asked> _answers = new(StringComparer.Ordinal);

    /// <summary>A caller that comes while the same question is being asked waits for its answer.</summary>
    public ValueTask<T> Get(string name, Func<Task<T>> read, CancellationToken cancel)
    {
        // Taken before the read, since the answer may be as old as that.
        var now = clock.GetTimestamp();
        while (true)
        {
            var cached = _answers.GetValueOrDefault(name);
            if (cached is not null && clock.GetElapsedTime(cached.At, now) < fresh)
            {
                return new(cached.Answer.Task.WaitAsync(cancel));
            }

            if (_answers.Count >= Most)
            {
                _answers.Clear();
            }

            var asked = new Asked(now);
            if (cached is null ? _answers.TryAdd(name, asked) : _answers.TryUpdate(name, asked, cached))
            {
                return Ask(name, asked, read);
            }
        }
    }

    public void Clear() => _answers.Clear();

    /// <summary>Forgets these answers, and questions that are being asked: they may have been read too early.</summary>
    public void Forget(Func<T, bool> which)
    {
        foreach (var answer in _answers)
        {
            if (answer.Value.Answer.Task is not { IsCompletedSuccessfully: true, Result: var known } || which(known))
            {
                _answers.TryRemove(answer);
            }
        }
    }

    private async ValueTask<T> Ask(string name, Asked asked, Func<Task<T>> read)
    {
        try
        {
            var value = await read();
            asked.Answer.SetResult(value);
            return value;
        }
        catch (Exception fault)
        {
            _answers.TryRemove(new(name, asked));
            asked.Answer.SetException(fault);
            _ = asked.Answer.Task.Exception;
            throw;
        }
    }

    private sealed class Asked(long at)
    {
        public long At => at;

        public TaskCompletionSource<T> Answer { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
