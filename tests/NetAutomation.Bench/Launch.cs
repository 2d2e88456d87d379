using System.Diagnostics;
using Npgsql;

namespace NetAutomation.Bench;

/// <summary>
/// Accepted launches by customers over HTTP/2 on open connections, through PROXY header and TLS, with all that a launch does, while no
/// worker runs. The reference writes the same rows by SQL alone.
/// </summary>
internal static class Launch
{
    private const int Customers = 8;
    private const int Parallel = 16;
    private const int Rate = 220;
    private const double Limit = 200;
    private const double P99Limit = 150;
    private static readonly TimeSpan _time = TimeSpan.FromSeconds(3);

    public static async Task<Result> Run(Stack stack)
    {
        Stack.Log("launch: starting service and database");
        await stack.CreateDatabase();
        await stack.StartService("api");
        var customers = await Customer.CreateWithDevices(stack, Customers, 100);
        await customers[0].Post("/v1/runs", customers[0].Run());
        var copies =
            await Copies.Of(
                stack, customers[0].Tenant, await stack.Value<Guid>("select id from runs.run where tenant_id = $1", customers[0].Tenant));
        await using var source = NpgsqlDataSource.Create($"{stack.Owner};Max Auto Prepare=50;Auto Prepare Min Usages=1");
        var (next, slowest, refused, cpu) = (0, 0.0, 0, new List<double>());

        async Task<double> Product(int devices, TimeSpan time)
        {
            var (begun, first) = (stack.Cpu, Volatile.Read(ref next));
            var rate = await PerSecond(Parallel, time, async () =>
            {
                using var answer = await Start(customers[Interlocked.Increment(ref next) % Customers], devices);
                answer.EnsureSuccessStatusCode();
            });
            if (devices == 1)
            {
                cpu.Add((stack.Cpu - begun).TotalMilliseconds / (next - first));
            }

            return rate;
        }

        await WarmUp(() => Product(1, _time), () => next);
        cpu.Clear();
        var rounds = await Rounds.Measure(
            "launch", stack.Parts.Rounds,
            ("launches", () => Product(1, _time)),
            ("p99", async () =>
            {
                var load = new Load(() => Start(customers[Interlocked.Increment(ref next) % Customers], 1), Rate);
                using var end = new CancellationTokenSource(_time * 2);
                await load.Run(end.Token);
                refused += load.Failed;
                slowest = Math.Max(slowest, load.Percentile(0.99));
                return load.Percentile(0.99);
            }
        ),
            ("sql", () => PerSecond(Parallel / 2, _time, async () =>
            {
                await using var connection = await source.OpenConnectionAsync();
                await copies.Write(connection, [Guid.CreateVersion7()]);
            })),
            ("launches10", () => Product(10, _time)),
            ("launches100", () => Product(100, _time)));
        return new Result("launch", rounds.Median("launches") >= Limit && rounds.Median("p99") < P99Limit && refused == 0,
        [
            new("median", Math.Round(rounds.Median("launches"))),
            new("unit", "launches/s"),
            new("limit", Limit),
            new("p99", Math.Round(rounds.Median("p99"), 1)),
            new("p99Worst", Math.Round(slowest, 1)),
            new("p99Limit", P99Limit),
            new("p99Rate", Rate),
            new("reference", "the same rows by SQL"),
            new("referenceMedian", Math.Round(rounds.Median("sql"))),
            new("ratio", Math.Round(rounds.Ratio("launches", "sql"), 2)),
            new("spread", rounds.Spread("launches", "sql")),
            new("with10Devices", Math.Round(rounds.Median("launches10"))),
            new("with100Devices", Math.Round(rounds.Median("launches100"))),
            new("cpuMilliseconds", Math.Round(cpu.Order().ElementAt(cpu.Count / 2), 2)),
            new("refused", refused),
            new("noise", rounds.Noise),
        ]);

        static Task<HttpResponseMessage> Start(Customer customer, int devices) => customer.Send("/v1/runs", customer.Run(devices));
    }

    /// <summary>Repeats the work some thousand times, so that the runtime compiles the hot path.</summary>
    public static async Task WarmUp(Func<Task> work, Func<int> done)
    {
        var (begun, first) = (Stopwatch.GetTimestamp(), done());
        while (done() - first < 3_000 && Stopwatch.GetElapsedTime(begun) < TimeSpan.FromMinutes(1))
        {
            await work();
        }
    }

    /// <summary>Repetitions per second by this number of parallel loops.</summary>
    public static async Task<double> PerSecond(int loops, TimeSpan time, Func<Task> work)
    {
        var (begun, done) = (Stopwatch.GetTimestamp(), 0);
        await Task.WhenAll(Enumerable.Range(0, loops).Select(_ => Task.Run(async () =>
        {
            while (Stopwatch.GetElapsedTime(begun) < time)
            {
                await work();
                Interlocked.Increment(ref done);
            }
        })));
        return done / Stopwatch.GetElapsedTime(begun).TotalSeconds;
    }
}
