using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Headers;
using Npgsql;

namespace NetAutomation.Bench;

/// <summary>
/// The time from the worker's recorder to a customer that follows the run, with fifty such streams open and a worker in another process
/// than the API. The reference is an insert, a NOTIFY and a select, with neither API nor TLS.
/// </summary>
internal static class SseLag
{
    private const int Customers = 5;
    private const int Each = 10;
    private const double P95Limit = 100;

    // The interval between two events of one run; the fifty runs together write a hundred events a second.
    private static readonly TimeSpan _between = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan _time = TimeSpan.FromSeconds(6);

    public static async Task<Result> Run(Stack stack)
    {
        Stack.Log("sse-lag: starting service and database");
        await stack.CreateDatabase();
        await stack.StartService("api");
        var customers = await Customer.CreateWithDevices(stack, Customers, 1);
        foreach (var customer in customers)
        {
            await customer.Post("/v1/runs:batch", new { runs = Enumerable.Repeat(customer.Run(mode: "check"), Each) });
        }

        await using var product = new Product(stack);
        await product.Notify();
        var runs = await product.ClaimAll(1);
        foreach (var run in runs)
        {
            await product.Start(run);
        }

        var arrived = new ConcurrentDictionary<long, double>();
        using var end = new CancellationTokenSource();
        var streams = runs.Select(run => Follow(customers.First(each => each.Tenant == run.Tenant.Value).Client, run, arrived, end.Token))
            .ToList();
        var recorders = runs.Select(product.Record).ToList();
        await stack.Sql("create table public.bare (id bigserial primary key, at bigint not null, run uuid not null)");
        var (sent, number) = (0, 0L);
        var (medians, worst) = (new List<double>(), 0.0);
        await Write();
        var rounds = await Rounds.Measure("sse-lag", stack.Parts.Rounds, ("lag", Write), ("notify", () => Notify(stack)));
        await end.CancelAsync();
        await Task.WhenAll(streams);
        foreach (var recorder in recorders)
        {
            await recorder.Flush();
            recorder.Dispose();
        }

        return new Result("sse-lag", rounds.Median("lag") < P95Limit && arrived.Count == sent,
        [
            new("median", Math.Round(rounds.Median("lag"), 1)),
            new("unit", "ms, p95"),
            new("limit", P95Limit),
            new("p50", Math.Round(medians.Order().ElementAt(medians.Count / 2), 1)),
            new("worst", Math.Round(worst, 1)),
            new("streams", runs.Count),
            new("sent", sent),
            new("arrived", arrived.Count),
            new("reference", "insert, NOTIFY, select"),
            new("referenceMedian", Math.Round(rounds.Median("notify"), 1)),
            new("ratio", Math.Round(rounds.Ratio("lag", "notify"), 2)),
            new("spread", rounds.Spread("lag", "notify")),
            new("noise", rounds.Noise),
        ]);

        async Task<double> Write()
        {
            var (first, begun) = (Volatile.Read(ref number), Stopwatch.GetTimestamp());
            await Task.WhenAll(recorders.Select((recorder, i) => Task.Run(async () =>
            {
                await Task.Delay(_between * i / recorders.Count);
                while (Stopwatch.GetElapsedTime(begun) < _time)
                {
                    var n = Interlocked.Increment(ref number);
                    Interlocked.Increment(ref sent);
                    await recorder.Add(
                        new(DateTimeOffset.UtcNow, "output", null,
                            string.Create(CultureInfo.InvariantCulture, $$"""{"n":{{n}},"at":{{Stopwatch.GetTimestamp()}}}""")));
                    await Task.Delay(_between);
                }
            })));
            for (var patience = 0; arrived.Count < sent && patience < 100; patience++)
            {
                await Task.Delay(50);
            }

            var lags = arrived.Where(each => each.Key > first).Select(each => each.Value).Order().ToList();
            medians.Add(lags[lags.Count / 2]);
            worst = Math.Max(worst, lags[^1]);
            return lags[(int)(lags.Count * 0.95)];
        }
    }

    private static async Task Follow(
        HttpClient client, Runs.ClaimedRun run, ConcurrentDictionary<long, double> arrived, CancellationToken end)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/v1/runs/{run.Id}/events?after=0");
        request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue("text/event-stream"));
        try
        {
            using var answer = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, end);
            answer.EnsureSuccessStatusCode();
            using var lines = new StreamReader(await answer.Content.ReadAsStreamAsync(end));
            while (await lines.ReadLineAsync(end) is { } line)
            {
                if (line.IndexOf("\"at\":", StringComparison.Ordinal) is > 0 and var at)
                {
                    var lag = Stopwatch.GetElapsedTime(Number(line, at + 5)).TotalMilliseconds;
                    arrived.TryAdd(Number(line, line.IndexOf("\"n\":", StringComparison.Ordinal) + 4), lag);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The measurement is over.
        }
    }

    private static long Number(string line, int at)
    {
        while (line[at] == ' ')
        {
            at++;
        }

        var end = at;
        while (char.IsAsciiDigit(line[end]))
        {
            end++;
        }

        return long.Parse(line.AsSpan(at, end - at), CultureInfo.InvariantCulture);
    }

    private static async Task<double> Notify(Stack stack)
    {
        using var end = new CancellationTokenSource();
        var lags = new List<double>();
        await using var listening = await stack.Database.OpenConnectionAsync();
        listening.Notification += (_, note) =>
        {
            using var reading = stack.Database.OpenConnection();
            using var select =
                new NpgsqlCommand(
                    "select at from public.bare where id = $1", reading)
                {
                    Parameters = { new() { Value = long.Parse(note.Payload, CultureInfo.InvariantCulture) } }
                };
            lags.Add(Stopwatch.GetElapsedTime((long)select.ExecuteScalar()!).TotalMilliseconds);
        };
        await using (var listen = new NpgsqlCommand("listen bare", listening))
        {
            await listen.ExecuteNonQueryAsync(CancellationToken.None);
        }

        var hearing = Task.Run(async () =>
        {
            while (!end.IsCancellationRequested)
            {
                await listening.WaitAsync(end.Token);
            }
        });
        var begun = Stopwatch.GetTimestamp();
        await using (var writing = await stack.Database.OpenConnectionAsync())
        {
            while (Stopwatch.GetElapsedTime(begun) < _time / 2)
            {
                await using var insert =
                    new NpgsqlCommand(
                        "insert into public.bare (at, run) values ($1, gen_random_uuid()) returning id", writing)
                    {
                        Parameters = { new() { Value = Stopwatch.GetTimestamp() } }
                    };
                var id = await insert.ExecuteScalarAsync(CancellationToken.None);
                await using var notify =
                    new NpgsqlCommand("select pg_notify('bare', $1)", writing) { Parameters = { new() { Value = $"{id}" } } };
                await notify.ExecuteNonQueryAsync(CancellationToken.None);
                await Task.Delay(10, CancellationToken.None);
            }
        }

        await end.CancelAsync();
        await hearing.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        lags.Sort();
        return lags[(int)(lags.Count * 0.95)];
    }
}
