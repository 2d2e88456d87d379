using System.Text.Json;
using System.Text.Json.Nodes;
using NetAutomation.Tests.Support;
using Npgsql;

namespace NetAutomation.Faults;

/// <summary>Plays rounds one after the other on one stack with one customer.</summary>
internal sealed class RoundRunner(int number, Stack stack, Action<string> progress) : IDisposable
{
    private static readonly TimeSpan _limit = TimeSpan.FromMinutes(4);
    private readonly List<PlannedRun> _planned = [];
    private readonly List<Fault> _faults = [];
    private readonly HashSet<(Count, string)> _found = [];
    private CustomerNetwork _network = null!;
    private Journals _journals = null!;
    private Customer _customer = null!;
    private Checker _checker = null!;
    private NpgsqlDataSource _database = null!;

    public IReadOnlyList<Fault> Faults => _faults;

    public int Resolved { get; private set; }

    public int Runs => _planned.Count;

    public Verdict Verdict { get; private set; } = new();

    public async Task Prepare()
    {
        await stack.StartAll();
        Note("the stack is up");
        _customer = new Customer(stack);
        _journals = new Journals(Path.Combine(stack.Data, "journal"));
        var connection = $"Host={stack.Data}/pg;Database=netautomation;Username=postgres;Maximum Pool Size=4;Timeout=5";
        _checker = new Checker(connection);
        _database = NpgsqlDataSource.Create(connection);
        _network = new CustomerNetwork(stack, _customer);
        foreach (var (first, count, connectors) in Plan.Sites)
        {
            await _network.AddSite(first, count, connectors);
        }

        Note("connectors and devices are there");
    }

    public async Task Play(Plan plan)
    {
        var sizes = string.Join(" ", plan.Runs.Select(run => $"{run.Devices.Count}x{run.Lines.Count}"));
        Note(
            $"round {plan.Round}: {plan.Kind}, {plan.Runs.Count} runs on {sizes}, "
            + $"at {plan.Moment} + {plan.Jitter.TotalSeconds:0.0} s");
        var slow = plan.Kind == "slow-readers"
            ? [] : plan.Pauses.Select((pause, i) => ($"d{i + 1:00}", pause)).ToDictionary(p => p.Item1, p => p.pause);
        await File.WriteAllTextAsync(Path.Combine(stack.Data, "fleet/slow.json"), JsonSerializer.Serialize(slow));
        if (plan.Kind == "slow-readers")
        {
            await PlayWithSlowReaders(plan);
        }
        else
        {
            await PlayWithFault(plan);
        }

        await WaitForRecovery(plan);
        Verdict = await _checker.Check(_planned, _journals.Read(), _faults);
        Verdict.Problems.UnionWith(_found);
        foreach (var (count, text) in Verdict.Problems.Where(problem => !_found.Contains(problem)).ToList())
        {
            Found(count, text);
        }

        var summary = await Scalar<string>($"""
            select string_agg(what, ', ') from (
              select count(*) || ' ' || state || case when attempt > 1 then ' at attempt ' || attempt else '' end as what
              from runs.run where labels->>'round' = '{plan.Round}' group by state, attempt
              union all
              select count(*) || ' ' || outcome || coalesce(' (' || d.code || ')', '') from runs.run r
              join runs.run_device d on d.run_id = r.id
              where labels->>'round' = '{plan.Round}' group by outcome, d.code) w
            """);
        Note($"round {plan.Round}: over: {summary}");
    }

    public void Dispose()
    {
        _network?.Dispose();
        _customer?.Dispose();
        _database?.Dispose();
    }

    private async Task PlayWithFault(Plan plan)
    {
        var first = plan.Runs[0];
        await Submit(first);
        var others = Task.WhenAll(plan.Runs.Skip(1).Select(Submit));
        await WaitForMoment(plan, first);
        await Task.Delay(plan.Jitter);
        var restore = await Inject(plan, first);
        var over = restore();
        await others;
        // A permanent fault ends when nothing changes any more.
        await WaitForEnds(plan, plan.Kind == "cut-forever");
        await over;
        if (plan.Kind == "cut-forever")
        {
            stack.Kill($"connector{plan.Connector}");
            _network.Relays[plan.Connector - 1].Restore();
            await stack.Start($"connector{plan.Connector}");
        }

        await WaitForEnds(plan, false);
    }

    /// <summary>Injects the fault and returns the function that ends it.</summary>
    private async Task<Func<Task>> Inject(Plan plan, PlannedRun first)
    {
        var (victim, affected) = plan.Kind switch
        {
            "kill-worker" or "stop-worker" => ExecutingWorker(plan, first),
            "kill-api" => ($"api{plan.Replica}", []),
            "kill-postgres" => ("postgres", []),
            _ => ($"connector{plan.Connector}", (IReadOnlyList<string>)[]),
        };
        var at = (DateTime.UtcNow - DateTime.UnixEpoch).TotalSeconds;
        _faults.Add(new Fault(plan.Kind, plan.Round, at, victim, affected));
        Note($"round {plan.Round}: {plan.Kind} on {victim}{(affected.Count > 0 ? $", which executes {affected.Count} runs" : "")}");
        var relay = _network.Relays[plan.Connector - 1];
        switch (plan.Kind)
        {
            case "stop-worker":
                stack.Stop(victim);
                return async () =>
                {
                    await Task.Delay(TimeSpan.FromSeconds(60));
                    stack.Continue(victim);
                };
            case "cut-forever":
                relay.Cut();
                return () => Task.CompletedTask;
            case "cut-1" or "cut-10" or "cut-60":
                relay.Cut();
                return async () =>
                {
                    await Task.Delay(TimeSpan.FromSeconds(int.Parse(plan.Kind[4..], System.Globalization.CultureInfo.InvariantCulture)));
                    relay.Restore();
                };
            default:
                stack.Kill(victim);
                return async () =>
                {
                    await Task.Delay(plan.Outage);
                    await stack.Start(victim);
                };
        }
    }

    /// <summary>The worker that executes the round's first run, else the one that the seed names; and the runs that it executes.</summary>
    private (string Worker, IReadOnlyList<string> Runs) ExecutingWorker(Plan plan, PlannedRun first)
    {
        List<string> Of(string worker) => [.. plan.Runs.Where(run => run.Id is not null && Directory.Exists(stack.Work(worker))
            && Directory.GetDirectories(stack.Work(worker), $"{run.Id}-*").Length > 0).Select(run => run.Key)];
        var worker = new[] { "worker1", "worker2" }.FirstOrDefault(each => Of(each).Contains(first.Key)) ?? $"worker{plan.Replica}";
        return (worker, Of(worker));
    }

    private async Task PlayWithSlowReaders(Plan plan)
    {
        var (alone, read) = plan.Compared();
        var (first, _) = await Timed(plan, alone, 0);
        var (second, bytes) = await Timed(plan, read, 8);
        _faults.Add(new Fault(plan.Kind, plan.Round, 0, "events", []));
        Note($"round {plan.Round}: {first.TotalSeconds:0.0} s alone, {second.TotalSeconds:0.0} s before 8 readers that took {bytes} bytes");
        if (second > (first * 2) + TimeSpan.FromSeconds(5))
        {
            Found(Count.SlowedRuns,
                $"round {plan.Round}: {first.TotalSeconds:0.0} s alone, {second.TotalSeconds:0.0} s before slow readers");
        }
    }

    private async Task<(TimeSpan Took, int Bytes)> Timed(Plan plan, PlannedRun run, int readers)
    {
        var clock = System.Diagnostics.Stopwatch.StartNew();
        await Submit(run);
        using var over = new CancellationTokenSource();
        var reading = Enumerable.Range(0, readers).Select(_ => _customer.ReadSlowly(run.Id!, over.Token)).ToList();
        await WaitForEnds(plan, false, run);
        var took = clock.Elapsed;
        await over.CancelAsync();
        var bytes = (await Task.WhenAll(reading)).Sum();
        if (await State(run) is var state and not "succeeded")
        {
            Found(Count.SlowedRuns, $"round {plan.Round}: a run before {readers} slow readers is {state}");
        }

        return (took, bytes);
    }

    private Task Submit(PlannedRun run)
    {
        lock (_planned)
        {
            _planned.Add(run);
        }

        return _network.Submit(run);
    }

    private async Task WaitForMoment(Plan plan, PlannedRun run)
    {
        var since = _journals.Read().Count;
        await Eventually.Within(TimeSpan.FromSeconds(60), async () => plan.Moment switch
        {
            Moment.Accepted => true,
            Moment.Running => await State(run) != "queued",
            Moment.SessionOpen => _journals.Read().Skip(since).Any(h => h.Kind == "open" && run.Devices.Contains(h.Device)),
            Moment.FirstLine => run.Mode == "check" || _journals.Read().Any(h => run.Lines.Contains(h.Text)),
            _ => _journals.Read().Skip(since).Any(h => h.Kind == "save" && run.Devices.Contains(h.Device)),
        });
    }

    /// <summary>
    /// Waits until the round's runs have ended and resolves those that stay unknown. The checker reports runs that do not end.
    /// </summary>
    private async Task WaitForEnds(Plan plan, bool orQueued, PlannedRun? only = null)
    {
        IReadOnlyList<PlannedRun> runs = only is null ? [.. plan.Runs.Where(run => _planned.Contains(run))] : [only];
        var unknownSince = new Dictionary<string, DateTime>();
        var ended = await Eventually.Within(_limit, async () =>
        {
            var open = 0;
            foreach (var run in runs)
            {
                var state = await State(run);
                if (state == "unknown" && unknownSince.TryAdd(run.Key, DateTime.UtcNow))
                {
                    open++;
                }
                else if (state == "unknown" && DateTime.UtcNow - unknownSince[run.Key] > TimeSpan.FromSeconds(5))
                {
                    await Resolve(run);
                    unknownSince.Remove(run.Key);
                    open++;
                }
                else if (
                    state is not ("succeeded" or "failed" or "cancelled" or "expired" or "resolved") && !(orQueued && state == "queued"))
                {
                    open++;
                }
            }

            return open == 0;
        });
        if (!ended)
        {
            foreach (var run in runs)
            {
                var why = run.Id is null ? "" : $"{await _customer.Get($"/v1/runs/{run.Id}/why")}";
                Note($"round {plan.Round}: {run.Key} is {await State(run)}: {why}");
            }
        }
    }

    /// <summary>Resolves a run as an operator would after a look at the devices.</summary>
    private async Task Resolve(PlannedRun run)
    {
        var journal = _journals.Read();
        var devices = new JsonArray();
        var outcomes = new List<string>();
        foreach (
            var device in (await _customer.Get($"/v1/runs/{run.Id}/devices?limit=200"))["items"]!.AsArray()
                .Where(d => d!["outcome"]?.GetValue<string>() == "unknown"))
        {
            var missing = run.Lines.Count(line => !journal.Any(h => h.Device == Text(device!, "name") && h.Text == line));
            outcomes.Add(missing == 0 ? "changed" : missing == run.Lines.Count ? "not_started" : "failed");
            devices.Add(new JsonObject { ["deviceId"] = Text(device!, "deviceId"), ["outcome"] = outcomes[^1] });
        }

        var verdict = outcomes.TrueForAll(o => o == "changed")
            ? "completed" : outcomes.TrueForAll(o => o == "not_started") ? "reverted" : "partial";
        try
        {
            await _customer.Post(
                $"/v1/runs/{run.Id}:resolve",
                new JsonObject { ["verdict"] = verdict, ["evidence"] = "The devices' journals.", ["devices"] = devices });
            Resolved++;
            Note($"resolved {run.Key}: {verdict} ({string.Join(", ", outcomes)})");
        }
        catch (InvalidOperationException moved)
        {
            Note($"not resolved: {moved.Message}");
        }
    }

    /// <summary>Waits until the stack has recovered from the round's fault, so the next round is not affected.</summary>
    private async Task WaitForRecovery(Plan plan)
    {
        var healthy = await Eventually.Within(TimeSpan.FromSeconds(90), async () =>
        {
            var attached = await Scalar<long>(
                """
                select count(distinct connector_id) from connectors.connector_session
                where state = 'attached' and seen_at > now() - interval '45 s'
                """);
            return attached == 3;
        });
        if (!healthy)
        {
            Found(Count.NotHealthyAgain, $"round {plan.Round}: not every connector is attached again");
        }
    }

    private async Task<string> State(PlannedRun run) =>
        await Scalar<string>($"select state from runs.run where labels->>'key' = '{run.Key}'") ?? "none";

    /// <summary>Returns the default while the database is down.</summary>
    private async Task<T?> Scalar<T>(string sql)
    {
        try
        {
            await using var command = _database.CreateCommand(sql);
            return await command.ExecuteScalarAsync() is T value ? value : default;
        }
        catch (NpgsqlException)
        {
            return default;
        }
    }

    private static string Text(JsonNode node, string name) => node[name]!.GetValue<string>();

    private void Found(Count count, string text)
    {
        if (_found.Add((count, text)))
        {
            Verdict.Add(count, text);
            Note($"FOUND {count}: {text}");
        }
    }

    private void Note(string text) => progress($"stack {number}: {text}");
}
