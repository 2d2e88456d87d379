using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using NetAutomation.Faults;

// Called by tests/faults/run, which knows the rest: --seed S --rounds N --stacks N --only K,K --script FILE --state DIR --app DIR --index I
var options = args.Chunk(2).ToDictionary(pair => pair[0][2..], pair => pair[1]);
int Number(string name) => int.Parse(options[name], CultureInfo.InvariantCulture);
var (seed, rounds) = (Number("seed"), Number("rounds"));
var kinds = options["only"].Length > 0 ? options["only"].Split(',') : Plan.Kinds;
if (kinds.Except(Plan.Kinds).FirstOrDefault() is { } unknown)
{
    await Console.Error.WriteLineAsync($"faults: '{unknown}' is not one of {string.Join(", ", Plan.Kinds)}");
    return 2;
}

var clock = System.Diagnostics.Stopwatch.StartNew();
void Progress(string text) => Console.Error.WriteLine($"[{clock.Elapsed.TotalSeconds,4:0} s] {text}");
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
