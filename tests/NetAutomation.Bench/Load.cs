using System.Collections.Concurrent;
using System.Diagnostics;

namespace NetAutomation.Bench;

/// <summary>Requests at a fixed rate, whatever the answers take, so that a slow answer slows nothing but itself.</summary>
internal sealed class Load(Func<Task<HttpResponseMessage>> ask, int perSecond)
{
    private readonly ConcurrentBag<double> _milliseconds = [];
    private int _failed;

    public Load(HttpClient client, string path, int perSecond)
        : this(() => client.GetAsync(path), perSecond)
    {
    }

    public int Failed => _failed;

    public int Count => _milliseconds.Count;

    public async Task Run(CancellationToken until)
    {
        var (begun, sent, open) = (Stopwatch.GetTimestamp(), 0, new List<Task>());
        while (!until.IsCancellationRequested)
        {
            var due = (int)(Stopwatch.GetElapsedTime(begun).TotalSeconds * perSecond);
            for (; sent < due; sent++)
            {
                // Counted from when it was due: a generator that is late must not hide it.
                open.Add(Ask(begun + (long)((double)(sent + 1) / perSecond * Stopwatch.Frequency)));
            }

            await Task.Delay(2, CancellationToken.None);
        }

        await Task.WhenAll(open);
    }

    public double Percentile(double share)
    {
        var sorted = _milliseconds.Order().ToList();
        return sorted[Math.Min(sorted.Count - 1, (int)(sorted.Count * share))];
    }

    private async Task Ask(long due)
    {
        try
        {
            using var answer = await ask();
            answer.EnsureSuccessStatusCode();
            _milliseconds.Add(Stopwatch.GetElapsedTime(due).TotalMilliseconds);
        }
        catch (HttpRequestException)
        {
            Interlocked.Increment(ref _failed);
        }
    }
}
