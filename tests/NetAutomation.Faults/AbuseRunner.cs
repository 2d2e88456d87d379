using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;
using NetAutomation.Tests.Support;
using Npgsql;

namespace NetAutomation.Faults;

/// <summary>What an attack did to others, and what it left behind. All must be zero.</summary>
internal enum Abused
{
    /// <summary>A process of the service ended.</summary>
    Deaths,

    /// <summary>A call of the other customer got no answer, or a wrong one.</summary>
    WrongAnswers,

    /// <summary>A run of the other customer did not succeed.</summary>
    FailedRuns,

    /// <summary>The other customer's p99 rose by more than half.</summary>
    SlowedCalls,

    /// <summary>Descriptors or memory were not given back.</summary>
    Kept,

    /// <summary>The attacker's block, which contacts no device, cost something.</summary>
    WrongCharges,
}

/// <summary>Plays rounds in which one customer attacks while another one works, on one stack.</summary>
internal sealed class AbuseRunner(Stack stack, int seed, IReadOnlyList<string> attacks, int seconds, Action<string> progress) : IDisposable
{
    private const int PerSecond = 40, Attacker = 1, Worker = 2, WarmUp = 6, AttacksOfRound = 4;
    private const double MostSlowed = 1.5;

    // What the processes may hold more of than before: connections of the pools, and memory that the runtime keeps for later.
    private const int SpareDescriptors = 100, SpareMegabytes = 400;

    private static readonly TimeSpan _recovery = TimeSpan.FromSeconds(60), _longestRun = TimeSpan.FromMinutes(2);
    private static readonly string[] _processes = ["api1", "api2", "worker1", "worker2"];
    private readonly HashSet<(Abused, string)> _found = [];
    private readonly List<PlannedRun> _planned = [];
    private Customer _attacker = null!, _worker = null!;
    private CustomerNetwork _attackersNetwork = null!, _network = null!;
    private Target _caller = null!;
    private NpgsqlDataSource _database = null!;
    private string _connection = "";

    public Verdict Verdict { get; private set; } = new();

    public int Runs => _planned.Count;

    public int Of(Abused count) => _found.Count(found => found.Item1 == count);

    public async Task Prepare()
    {
        await stack.StartAll();
        (_attacker, _worker) = (new Customer(stack, Attacker), new Customer(stack, Worker));
        _connection = $"Host={stack.Data}/pg;Database=netautomation;Username=postgres;Maximum Pool Size=4;Timeout=5";
        _database = NpgsqlDataSource.Create(_connection);
        (_network, _attackersNetwork) = (new CustomerNetwork(stack, _worker, Worker), new CustomerNetwork(stack, _attacker));
        await _network.AddSite(1, 6, 1);
        await _attackersNetwork.AddSite(9, 2, 2);
        await _attacker.Post("/v1/purchases", new JsonObject { ["block"] = "abuse", ["kind"] = "pay_per_use" });
        _caller = await As(Worker);
        progress("the stack is up");
    }

    [SuppressMessage("Security", "S2245", Justification = "A seed has to give the same again.")]
    public async Task Play(int round)
    {
        var mix = attacks.Count > 0 ? [.. attacks] : Attack.All.Select(attack => attack.Name).ToArray();
        if (attacks.Count == 0)
        {
            new Random((seed * 1_000_003) + round).Shuffle(mix);
            mix = mix[..AttacksOfRound];
        }

        progress($"round {round}: {string.Join(", ", mix)}");
        // Code is compiled and caches are filled by the same attack, which is not timed.
        await Arm(round, mix, WarmUp, real: true, timed: false);
        await CancelRuns();
        await Eventually.Within(_recovery, () => Task.FromResult(_processes.All(name => Open(name) < 500)));
        var before = _processes.ToDictionary(name => name, name => (Descriptors: Open(name), Megabytes: Megabytes(name)));

        var still = await Arm(round, mix, seconds, real: false, timed: true);
        var loud = await Arm(round, mix, seconds, real: true, timed: true);
        var (alone, beside) = (still.Percentile(0.99), loud.Percentile(0.99));
        var ratio = beside / alone;
        progress(string.Create(
            CultureInfo.InvariantCulture,
            $"round {round}: p99 {beside:0.0} ms beside the attack, {alone:0.0} ms beside one on a server that discards: {ratio:0.00}"));
        progress($"round {round}: slowest {loud.Slowest()}");
        if (!(ratio <= MostSlowed))
        {
            Found(Abused.SlowedCalls, string.Create(CultureInfo.InvariantCulture, $"round {round}: {ratio:0.00}"));
        }

        await CancelRuns();
        await Recover(round, before);
        Verdict = await new Checker(_connection).Check(_planned, new Journals(Path.Combine(stack.Data, "journal")).Read(), []);
        var charged = await Scalar<decimal>("select coalesce(sum(charged_micros), 0) from runs.run where labels ? 'attack'");
        if (charged > 0)
        {
            Found(Abused.WrongCharges, $"round {round}: {charged} micro-units for devices that were never contacted");
        }
    }

    public void Dispose()
    {
        _caller?.Dispose();
        _network?.Dispose();
        _attackersNetwork?.Dispose();
        _attacker?.Dispose();
        _worker?.Dispose();
        _database?.Dispose();
    }

    private async Task<Target> As(int tenant) => new(
        Service, await File.ReadAllTextAsync(Authority), Endpoint(tenant), (await File.ReadAllTextAsync(Key(tenant))).Trim());

    private IPEndPoint Service => new(IPAddress.Loopback, stack.CustomerPort);

    private string Authority => Path.Combine(stack.State, "ca.pem");

    private string Key(int tenant) => Path.Combine(stack.State, $"tenant{tenant}/key");

    private string Endpoint(int tenant) =>
        JsonNode.Parse(File.ReadAllText(Path.Combine(stack.State, $"tenant{tenant}/tenant.json")))!["endpoint"]!.GetValue<string>();

    /// <summary>The attack for so many seconds, and beside it the other customer's calls and one run.</summary>
    private async Task<Calls> Arm(int round, string[] mix, int length, bool real, bool timed)
    {
        using var over = new CancellationTokenSource(TimeSpan.FromSeconds(length));
        var calls = new Calls(_caller, "d01");
        var run = new PlannedRun(
            $"{Guid.NewGuid()}", round, "apply", ["d01", "d02"],
            [$"ip route 10.{round}.{_planned.Count}.0/24 192.0.2.1", $"ip route 10.{round}.{_planned.Count}.0/24 192.0.2.2"]);
        _planned.Add(run);
        var generating = Generate([.. mix.Where(name => Attack.Named(name).FromNetwork is not null)], length, real);
        var blocks = mix.Where(name => Attack.Named(name).FromNetwork is null).Select((name, i) => Abuse(real ? name : "idle", i, length));
        var working = Work(round, run);
        await Task.WhenAll([generating, calls.Run(PerSecond, over.Token), working, .. blocks]);
        if (timed && calls.Wrong.Count > 0)
        {
            Found(Abused.WrongAnswers, $"round {round}: {calls.Wrong.Count} calls, such as {calls.Wrong[0]}");
        }

        return calls;
    }

    private async Task Work(int round, PlannedRun run)
    {
        await _network.Submit(run);
        var state = "";
        await Eventually.Within(_longestRun, async () =>
        {
            state = await Scalar<string>($"select state from runs.run where labels->>'key' = '{run.Key}'") ?? "none";
            return state is "succeeded" or "failed" or "cancelled" or "expired" or "unknown";
        });
        if (state != "succeeded")
        {
            var why = await Scalar<string>(
                $"""
                select string_agg(d.name || ' ' || coalesce(d.outcome, 'none') || ' ' || coalesce(d.code, ''), ', ') from runs.run_device d
                join runs.run r on r.id = d.run_id where r.labels->>'key' = '{run.Key}'
                """);
            Found(Abused.FailedRuns, $"round {round}: a run is {state}: {why}");
        }
    }

    /// <summary>Runs the hostile block on one of the attacker's devices; how it ends is the attacker's concern.</summary>
    private async Task Abuse(string attack, int device, int length)
    {
        var id = _attackersNetwork.DeviceIds[$"d{9 + (device % 2):00}"];
        await _attacker.Post("/v1/runs", new JsonObject
        {
            ["block"] = "abuse", ["mode"] = "apply", ["timeoutSeconds"] = 60, ["labels"] = new JsonObject { ["attack"] = attack },
            ["targets"] = new JsonObject { ["deviceIds"] = new JsonArray(id) },
            ["input"] = new JsonObject { ["attack"] = attack, ["seconds"] = length },
        });
    }

    private async Task Generate(string[] mix, int length, bool real)
    {
        if (mix.Length == 0)
        {
            return;
        }

        var start = new ProcessStartInfo(
            "/usr/bin/nice",
            ["-n", "10", Environment.ProcessPath!, "generate", "--attacks", string.Join(',', mix), "--seconds", $"{length}", "--address",
                real ? $"{Service}" : "", "--ca", Authority, "--endpoint", Endpoint(Attacker), "--key", Key(Attacker), "--device",
                _attackersNetwork.DeviceIds["d09"]])
        {
            UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true,
        };
        using var process = Process.Start(start)!;
        var sent = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        progress($"the generator, {(real ? "at the service" : "at a server that discards")}: {sent.TrimEnd()}");
    }

    /// <summary>Ends what the attacker has queued, as support would at the customer's wish.</summary>
    private async Task CancelRuns()
    {
        var open = await Scalar<long>(
            "select count(*) from runs.run r join runs.run_state s on s.state = r.state where not s.terminal and r.labels ? 'attack'");
        progress($"{open} runs of the attacker are open");
        using var attacker = await As(Attacker);
        for (var left = open; left > 0;)
        {
            var page = (await _attacker.Get("/v1/runs?state=queued&limit=200"))["items"]!.AsArray()
                .Concat((await _attacker.Get("/v1/runs?state=running&limit=200"))["items"]!.AsArray())
                .Select(run => run!["id"]!.GetValue<string>()).ToList();
            if (page.Count == 0)
            {
                break;
            }

            await Parallel.ForEachAsync(
                page, new ParallelOptions { MaxDegreeOfParallelism = 8 },
                async (id, cancel) =>
                {
                    if (await attacker.Ask("POST", $"/v1/runs/{id}:cancel", [], cancel) is { Status: 429 })
                    {
                        await Task.Delay(TimeSpan.FromMilliseconds(500), cancel);
                    }
                });
            left -= page.Count;
        }
    }

    private async Task Recover(int round, Dictionary<string, (int Descriptors, int Megabytes)> before)
    {
        foreach (var name in _processes.Where(name => Open(name) < 0))
        {
            Found(Abused.Deaths, $"round {round}: {name}");
        }

        var back = await Eventually.Within(_recovery, () => Task.FromResult(
            _processes.Where(name => Open(name) >= 0).All(name => Open(name) <= before[name].Descriptors + SpareDescriptors
                && Megabytes(name) <= before[name].Megabytes + SpareMegabytes)));
        var now = string.Join(
            ", ", _processes.Select(name => $"{name} {before[name].Descriptors}->{Open(name)} descriptors, "
                + $"{before[name].Megabytes}->{Megabytes(name)} MB"));
        progress($"round {round}: {now}");
        if (!back)
        {
            Found(Abused.Kept, $"round {round}: {now}");
        }
    }

    /// <summary>Descriptors of a process; -1 where it is no more.</summary>
    private int Open(string name)
    {
        try
        {
            return Directory.GetFileSystemEntries($"/proc/{stack.Pid(name)}/fd").Length;
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            return -1;
        }
    }

    private int Megabytes(string name)
    {
        try
        {
            return int.Parse(
                File.ReadLines($"/proc/{stack.Pid(name)}/status").First(line => line.StartsWith("VmRSS:", StringComparison.Ordinal))[6..^3],
                CultureInfo.InvariantCulture) >> 10;
        }
        catch (Exception gone) when (gone is IOException or InvalidOperationException)
        {
            return -1;
        }
    }

    private async Task<T?> Scalar<T>(string sql)
    {
        await using var command = _database.CreateCommand(sql);
        return await command.ExecuteScalarAsync() is T value ? value : default;
    }

    private void Found(Abused count, string text)
    {
        if (_found.Add((count, text)))
        {
            progress($"FOUND {count}: {text}");
        }
    }

    /// <summary>A customer's calls at a steady rate, however long the answers take.</summary>
    private sealed class Calls(Target target, string device)
    {
        private readonly List<(double At, double Milliseconds, string What)> _all = [];
        private readonly (string Path, Func<string, bool> IsRight)[] _asked =
        [
            ("/v1/me", text => text.Contains("\"role\":\"admin\"", StringComparison.Ordinal)),
            ("/v1/devices?limit=50", text => JsonNode.Parse(text)!["items"]!.AsArray().Any(item => $"{item!["name"]}" == device)),
            ("/v1/runs?limit=20", text => JsonNode.Parse(text)!["items"] is JsonArray),
        ];

        public List<string> Wrong { get; private set; } = [];

        public async Task Run(int perSecond, CancellationToken until)
        {
            var (begun, sent, open, wrong) = (Stopwatch.GetTimestamp(), 0, new List<Task>(), new List<string>());
            while (!until.IsCancellationRequested)
            {
                for (var due = (int)(Stopwatch.GetElapsedTime(begun).TotalSeconds * perSecond); sent < due; sent++)
                {
                    open.Add(Ask(sent, begun + (long)((double)(sent + 1) / perSecond * Stopwatch.Frequency)));
                }

                await Task.Delay(2, CancellationToken.None);
            }

            await Task.WhenAll(open);
            Wrong = wrong;

            async Task Ask(int number, long due)
            {
                var (path, isRight) = _asked[number % _asked.Length];
                var (status, text) = await target.Ask("GET", path, null, CancellationToken.None);
                lock (_all)
                {
                    // The time counts from the planned start, so a late caller does not hide a delay.
                    var at = Stopwatch.GetElapsedTime(begun, due).TotalSeconds;
                    _all.Add((at, Stopwatch.GetElapsedTime(due).TotalMilliseconds, path));
                    if (status != 200 || !isRight(text))
                    {
                        wrong.Add($"{path}: {status} {text[..Math.Min(text.Length, 200)]}");
                    }
                }
            }
        }

        public double Percentile(double share)
        {
            var sorted = _all.Select(call => call.Milliseconds).Order().ToList();
            return sorted[Math.Min(sorted.Count - 1, (int)(sorted.Count * share))];
        }

        public string Slowest() => string.Join(", ", _all.OrderByDescending(call => call.Milliseconds).Take(5).Select(
            call => string.Create(CultureInfo.InvariantCulture, $"{call.What} {call.Milliseconds:0} ms at {call.At:0.0} s")));
    }
}
