using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using NetAutomation.Faults;

// Called by tests/faults/run, which knows the rest: --seed S --rounds N --stacks N --only K,K --script FILE --state DIR --app DIR --index I
// --attacks A,A --seconds N; and by itself for an attack: generate, with the options of Generator.
var generates = args is ["generate", ..];
var options = args.Skip(generates ? 1 : 0).Chunk(2).ToDictionary(pair => pair[0][2..], pair => pair[1]);
int Number(string name) => int.Parse(options[name], CultureInfo.InvariantCulture);
if (generates)
{
    await Generator.Run(options);
    return 0;
}

var (seed, rounds) = (Number("seed"), Number("rounds"));
var kinds = options["only"].Length > 0 ? options["only"].Split(',') : Plan.Kinds;
string[] attacks = options["attacks"].Length > 0 ? options["attacks"].Split(',') : [];
foreach (
    var (given, known) in new[] {
        (kinds, kinds is [Plan.Abuse or Plan.Guard] ? kinds : Plan.Kinds), (attacks, Attack.All.Select(attack => attack.Name).ToArray()) })
{
    if (given.Except(known).FirstOrDefault() is { } unknown)
    {
        await Console.Error.WriteLineAsync($"faults: '{unknown}' is not one of {string.Join(", ", known)}");
        return 2;
    }
}

var clock = System.Diagnostics.Stopwatch.StartNew();
void Progress(string text) => Console.Error.WriteLine($"[{clock.Elapsed.TotalSeconds,4:0} s] {text}");
if (kinds is [Plan.Abuse])
{
    return await PlayAbuse();
}

if (kinds is [Plan.Guard])
{
    return await PlayGuard();
}

var todo = new ConcurrentQueue<(string Kind, int Round)>(Plan.Order(seed, rounds, kinds).Select((kind, i) => (kind, i + 1)));
Progress($"seed {seed}: {string.Join(" ", todo.Select(round => round.Kind))}");
var runners = Enumerable.Range(1, Math.Min(Number("stacks"), rounds))
    .Select(
        number =>
            new RoundRunner(
                number, new Stack(
                    options["script"], Path.Combine(options["state"], $"{number}"), Number("index") + number - 1, options["app"], 12),
                    Progress)).ToList();
await Task.WhenAll(runners.Select(async runner =>
{
    await runner.Prepare();
    while (todo.TryDequeue(out var next))
    {
        await runner.Play(new Plan(seed, next.Round, next.Kind));
    }
}));

Dictionary<string, int> Sum(Func<RoundRunner, IEnumerable<KeyValuePair<string, int>>> of) =>
    runners.SelectMany(of).GroupBy(pair => pair.Key).OrderBy(group => group.Key, StringComparer.Ordinal)
        .ToDictionary(group => group.Key, group => group.Sum(pair => pair.Value));
var problems = runners.SelectMany(runner => runner.Verdict.Problems).ToList();
var slowest = runners.SelectMany(runner => runner.Verdict.Slowest).ToLookup(pair => pair.Key == "kill-postgres", pair => pair.Value);
var report = new JsonObject { ["seed"] = seed, ["rounds"] = rounds };
foreach (var count in Enum.GetValues<Count>())
{
    report[JsonNamingPolicy.CamelCase.ConvertName($"{count}")] = problems.Count(problem => problem.Count == count);
}

double Slowest(bool database) => Math.Round(slowest[database].DefaultIfEmpty().Max(), 1);
report["slowestDetectionSeconds"] = Slowest(false);
report["slowestDetectionDatabaseDownSeconds"] = Slowest(true);
report["runs"] = runners.Sum(runner => runner.Runs);
report["attempts"] = runners.Sum(runner => runner.Verdict.Attempts);
report["unknown"] = runners.Sum(runner => runner.Verdict.Unknown);
report["resolvedByHand"] = runners.Sum(runner => runner.Resolved);
report["linesAppliedAgain"] = runners.Sum(runner => runner.Verdict.Reapplied);
report["states"] = JsonSerializer.SerializeToNode(Sum(runner => runner.Verdict.States));
report["outcomes"] = JsonSerializer.SerializeToNode(Sum(runner => runner.Verdict.Outcomes));
report["faults"] =
    JsonSerializer.SerializeToNode(
        Sum(runner => runner.Faults.GroupBy(fault => fault.Kind).Select(group => KeyValuePair.Create(group.Key, group.Count()))));
report["seconds"] = (int)clock.Elapsed.TotalSeconds;
runners.ForEach(runner => runner.Dispose());
await Console.Out.WriteLineAsync(report.ToJsonString());
return problems.Count == 0 ? 0 : 1;

async Task<int> PlayAbuse()
{
    var block = Path.Combine(Path.GetDirectoryName(options["script"])!, "abuse");
    using var runner = new AbuseRunner(
        new Stack(options["script"], Path.Combine(options["state"], "1"), Number("index"), options["app"], 12, tenants: 2, block), seed,
        attacks, Number("seconds"), Progress);
    await runner.Prepare();
    for (var round = 1; round <= rounds; round++)
    {
        await runner.Play(round);
    }

    var counts = new JsonObject { ["seed"] = seed, ["rounds"] = rounds };
    foreach (var count in Enum.GetValues<Abused>())
    {
        counts[JsonNamingPolicy.CamelCase.ConvertName($"{count}")] = runner.Of(count);
    }

    foreach (var count in Enum.GetValues<Count>())
    {
        counts[JsonNamingPolicy.CamelCase.ConvertName($"{count}")] = runner.Verdict.Problems.Count(problem => problem.Count == count);
    }

    foreach (var (count, text) in runner.Verdict.Problems)
    {
        Progress($"FOUND {count}: {text}");
    }

    counts["runs"] = runner.Runs;
    counts["seconds"] = (int)clock.Elapsed.TotalSeconds;
    await Console.Out.WriteLineAsync(counts.ToJsonString());
    return runner.Verdict.Problems.Count == 0 && Enum.GetValues<Abused>().All(count => runner.Of(count) == 0) ? 0 : 1;
}

async Task<int> PlayGuard()
{
    var repository = Path.GetFullPath(Path.Combine(Path.GetDirectoryName(options["script"])!, "../.."));
    var plan = GuardPlan.Of(seed, rounds, Math.Min(Number("stacks"), rounds));
    var played = plan.Where(batches => batches.Count > 0).Select((batches, i) => (Batches: batches, Runner: new GuardRunner(
        i + 1, Number("index") + i,
        new Stack(options["script"], Path.Combine(options["state"], $"{i + 1}"), Number("index") + i, options["app"], 0, guard: true),
        Progress))).ToList();
    await Task.WhenAll(played.Select(async each =>
    {
        await each.Runner.Prepare(repository, warms: rounds > GuardPlan.FewRounds);
        foreach (var batch in each.Batches)
        {
            await each.Runner.Play(batch);
        }

        await each.Runner.Bill();
    }));

    var all = played.SelectMany(each => each.Runner.Rounds).ToList();
    var found = played.SelectMany(each => each.Runner.Verdict.Problems).ToList();
    var cut = all.FindAll(round => round.Reached is not null);
    var confirmed = all.Count(round => round.Outcome == "changed");
    int Of(Stage stage) => cut.Count(round => round.Reached == stage);
    (string Name, int Count, int Of300)[] quotas =
    [
        ("hardCuts", cut.Count(round => round.Device.Hard), 240), ("softCuts", cut.Count(round => !round.Device.Hard), 40),
        ("cutArmed", Of(Stage.Armed), 60), ("cutBetweenLines", Of(Stage.Lines), 100), ("cutBeforeConfirmation", Of(Stage.Applied), 60),
        ("cutAtConfirmation", Of(Stage.Confirm), 20), ("confirmed", confirmed, 90),
    ];
    // Few rounds cannot have their part of everything.
    var missed = rounds < 100
        ? [] : quotas.Where(quota => quota.Count * GuardPlan.QuotaRounds < quota.Of300 * rounds).Select(quota => quota.Name).ToList();
    missed.ForEach(name => Progress($"FOUND too few: {name}"));
    var counts = new JsonObject { ["seed"] = seed, ["rounds"] = rounds, ["played"] = all.Count };
    foreach (var count in Enum.GetValues<Count>())
    {
        counts[JsonNamingPolicy.CamelCase.ConvertName($"{count}")] = found.Count(problem => problem.Count == count);
    }

    counts["quotasMissed"] = missed.Count;
    foreach (var (name, count, _) in quotas)
    {
        counts[name] = count;
    }

    (counts["cutBefore"], counts["cutAfterConfirmation"]) = (Of(Stage.Before), Of(Stage.After));
    counts["outcomes"] = Grouped(all.Select(round => round.Outcome ?? "none"));
    counts["cuts"] = Grouped(cut.Select(round => JsonNamingPolicy.KebabCaseLower.ConvertName($"{round.Round.Cut}")));
    counts["runs"] = played.Sum(each => each.Runner.Runs);
    counts["seconds"] = (int)clock.Elapsed.TotalSeconds;
    played.ForEach(each => each.Runner.Dispose());
    await Console.Out.WriteLineAsync(counts.ToJsonString());
    return found.Count == 0 && missed.Count == 0 && all.Count == rounds ? 0 : 1;
}

static JsonNode Grouped(IEnumerable<string> words) => JsonSerializer.SerializeToNode(
    words.GroupBy(word => word, StringComparer.Ordinal).OrderBy(group => group.Key, StringComparer.Ordinal)
        .ToDictionary(group => group.Key, group => group.Count()))!;
