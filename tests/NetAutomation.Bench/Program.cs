using System.Globalization;
using System.Text.Json;
using NetAutomation.Bench;

var benches = new Dictionary<string, Func<Stack, Task<Result>>>(StringComparer.Ordinal)
{
    ["run-1"] = RunOnRouters.With(1, wallLimit: 0.5),
    ["run-10"] = RunOnRouters.With(10, wallLimit: 0.2),
    ["run-50"] = RunOnRouters.With(50, wallLimit: 0.15, cpuLimit: 0.2),
    ["run-100"] = RunOnRouters.With(100, wallLimit: 0.12),
    ["run-50-ios"] = RunOnRouters.OnImitations(RunTask.Ios, 50, wallLimit: 0.15),
    ["run-50-eos"] = RunOnRouters.OnImitations(RunTask.Eos, 50, wallLimit: 0.15),
    ["run-overhead"] = RunOnRouters.Overhead,
    ["reconcile-10k"] = ReconcileTenThousand.Run,
    ["launch"] = Launch.Run,
    ["dispatch"] = Dispatch.Run,
    ["events"] = Events.Run,
    ["sse-lag"] = SseLag.Run,
    ["settle"] = Settle.Run,
    ["api"] = Api.Run,
    ["tunnel-bulk"] = TunnelBulk.Run,
    ["tunnel-rtt"] = TunnelRoundTrip.Run,
    ["tunnel-open"] = TunnelOpen.Run,
    ["proxy-v2"] = ProxyHeader.Run,
    ["tunnel-idle"] = TunnelIdle.Run,
    ["workers-2"] = TwoWorkers.Run,
    ["growth"] = Growth.Run,
    ["history"] = History.Run,
};

var (folders, names) = (new Dictionary<string, string>(StringComparer.Ordinal), new List<string>());
var left = new Queue<string>(args);
while (left.TryDequeue(out var word))
{
    if (word.StartsWith("--", StringComparison.Ordinal) && left.TryDequeue(out var value))
    {
        folders[word[2..]] = value;
    }
    else
    {
        names.Add(word);
    }
}

var app = folders["app"];
var parts = new Parts(
    folders["repository"],
    folders["database"],
    $"{app}/NetAutomation/NetAutomation",
    $"{app}/NetAutomation.AwsSimulator/NetAutomation.AwsSimulator",
    $"{app}/NetAutomation.Connector/netautomation-connector",
    int.Parse(folders["rounds"], CultureInfo.InvariantCulture));
var results = new List<Result>();
foreach (var name in names.Count > 0 ? names : [.. benches.Keys])
{
    await using var stack = new Stack(parts);
    try
    {
        results.Add(await benches[name](stack));
    }
    catch (Exception fault)
    {
        // A bench that fails does not lose the results of the others.
        Stack.Log($"{name} broke off: {fault}");
        results.Add(new Result(name, false, [new("fault", fault.Message)]));
    }
}

foreach (var result in results)
{
    foreach (var (figure, value) in result.Figures)
    {
        await Console.Out.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"{result.Bench,-20} {figure,-24} {value}"));
    }
}

foreach (var result in results)
{
    await Console.Out.WriteLineAsync(
        JsonSerializer.Serialize(new Dictionary<string, object>(result.Figures.Prepend(new("bench", result.Bench)))));
}

return results.TrueForAll(result => result.Held) ? 0 : 1;
