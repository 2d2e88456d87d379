namespace NetAutomation.Bench;

/// <summary>
/// Reads of the API over HTTP/2, TLS and PROXY header: <c>/v1/me</c> and a page of 50 runs, beside the health answer of the same listener,
/// which needs neither key nor database.
/// </summary>
internal static class Api
{
    private const int Customers = 8;
    private const int Parallel = 16;
    private const int Rate = 300;
    private const double P99Limit = 50;
    private const string Me = "/v1/me";
    private const string Page = "/v1/runs?limit=50";
    private const string Live = "/healthz/live";
    private static readonly TimeSpan _time = TimeSpan.FromSeconds(2);

    public static async Task<Result> Run(Stack stack)
    {
        Stack.Log("api: starting service and database");
        await stack.CreateDatabase();
        await stack.StartService("api");
        var customers = await Customer.CreateWithDevices(stack, Customers, 3);
        foreach (var customer in customers)
        {
            await customer.Post("/v1/runs:batch", new { runs = Enumerable.Repeat(customer.Run(3), 60) });
        }

        var (next, failed, cpu) = (0, 0, new Dictionary<string, double>(StringComparer.Ordinal));

        async Task<double> Most(string path)
        {
            var (begun, first) = (stack.Cpu, Volatile.Read(ref next));
            var rate = await Launch.PerSecond(Parallel, _time, async () =>
            {
                using var answer = await Get(path);
                answer.EnsureSuccessStatusCode();
                await answer.Content.ReadAsByteArrayAsync();
            });
            cpu[path] = Math.Round((stack.Cpu - begun).TotalMilliseconds / (next - first), 3);
            return rate;
        }

        async Task<double> P99(string path)
        {
            var load = new Load(() => Get(path), Rate);
            using var end = new CancellationTokenSource(_time * 2);
            await load.Run(end.Token);
            failed += load.Failed;
            return load.Percentile(0.99);
        }

        Task<HttpResponseMessage> Get(string path) => customers[Interlocked.Increment(ref next) % Customers].Client.GetAsync(path);

        await Launch.WarmUp(() => Most(Me), () => next);
        await Launch.WarmUp(() => Most(Page), () => next);
        var rounds = await Rounds.Measure(
            "api", stack.Parts.Rounds,
            ("me", () => Most(Me)), ("page", () => Most(Page)), ("live", () => Most(Live)), ("p99Me", () => P99(Me)),
            ("p99Page", () => P99(Page)), ("p99Live", () => P99(Live)));
        return new Result("api", failed == 0 && rounds.Median("p99Me") < P99Limit && rounds.Median("p99Page") < P99Limit,
        [
            new("median", Math.Round(rounds.Median("me"))),
            new("unit", "requests/s"),
            new("page", Math.Round(rounds.Median("page"))),
            new("reference", "no key, no database"),
            new("referenceMedian", Math.Round(rounds.Median("live"))),
            new("ratio", Math.Round(rounds.Ratio("me", "live"), 2)),
            new("spread", rounds.Spread("me", "live")),
            new("pageRatio", Math.Round(rounds.Ratio("page", "live"), 2)),
            new("p99Rate", Rate),
            new("p99", Math.Round(rounds.Median("p99Me"), 1)),
            new("p99Page", Math.Round(rounds.Median("p99Page"), 1)),
            new("p99Reference", Math.Round(rounds.Median("p99Live"), 1)),
            new("p99Limit", P99Limit),
            new("cpuMilliseconds", cpu[Me]),
            new("cpuMillisecondsPage", cpu[Page]),
            new("cpuMillisecondsReference", cpu[Live]),
            new("failedRequests", failed),
            new("noise", rounds.Noise),
        ]);
    }
}
