using System.Collections.Concurrent;
using System.Diagnostics;

namespace NetAutomation.Bench;

/// <summary>Sends requests at a fixed rate, however long the answers take, so a slow answer delays no other request.</summary>
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
                // The time counts from the planned start, so a late generator does not hide a delay.
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
