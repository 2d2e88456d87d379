using System.Net.Http.Json;
using System.Text.Json.Nodes;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Fleet;

[Collection("fleet"), Trait("Requires", "sandbox")]
public sealed class TraceTests(PostgresServer postgres)
{
    private const string Stranger = "4bf92f3577b34da6a3ce929d0e0e4736";

    // Each span and its parent.
    private static readonly (string Name, string Under)[] _edges =
        [("enqueue", "request"), ("claim", "enqueue"), ("sandbox", "claim"), ("dial", "sandbox"), ("tunnel", "dial"), ("settle", "claim")];

    [Fact]
    public async Task Run_is_one_tree_of_spans_over_three_processes_and_any_cut_edge_shows()
    {
        await using var collector = new SpanCollector();
        await using var fleet = await ServiceFleet.Start(
            postgres, 1, scheduler: true, content: null, answers: null, reach: null, $"Telemetry:OtlpEndpoint={collector.Address}",
            "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf",
            "OTEL_BSP_SCHEDULE_DELAY=200");
        await fleet.StartWorker("worker");
        using var request =
            new HttpRequestMessage(HttpMethod.Post, "/v1/runs") { Content = JsonContent.Create(fleet.Routes([Routers.Name(1)], 1)) };
        request.Headers.Add("Idempotency-Key", Guid.NewGuid().ToString());
        request.Headers.Add("traceparent", $"00-{Stranger}-00f067aa0ba902b7-01");
        using var answer = await fleet.Client.SendAsync(request);
        var id = JsonNode.Parse(await answer.Content.ReadAsStringAsync())!["id"]!.GetValue<string>();
        var run = await fleet.Ended(id);
        run["state"]!.GetValue<string>().ShouldBe("succeeded", fleet.Report());
        var trace = run["traceId"]!.GetValue<string>();
        trace.ShouldNotBe(Stranger);

        IReadOnlyList<ExportedSpan> spans = [];
        await Eventually.Holds(
            () =>
            {
                spans = collector.Of(trace);
                return Task.FromResult(Faults(spans).Count == 0);
            },
            "the tree", () => $"{string.Join('\n', Faults(spans))}\n{string.Join('\n', spans)}");
        spans.Single(span => span.Name == "request").Links.ShouldBe([Stranger]);
        collector.Of(Stranger).ShouldBeEmpty();

        foreach (var span in spans.Where(span => span.Parent != ""))
        {
            List<ExportedSpan> rest = [.. spans.Where(other => other != span)];
            Faults([.. rest, span with { Parent = "" }]).ShouldNotBeEmpty($"{span.Name} lost its parent");
            Faults([.. rest, span with { Parent = "00f067aa0ba902b7" }]).ShouldNotBeEmpty($"{span.Name} has the parent of another trace");
        }

        foreach (var name in _edges.Select(edge => edge.Name))
        {
            Faults([.. spans.Where(span => span.Name != name)]).ShouldNotBeEmpty($"{name} is in another trace");
        }
    }

    private static List<string> Faults(IReadOnlyList<ExportedSpan> spans)
    {
        var byId = spans.ToDictionary(span => span.Id);
        List<string> faults =
            [.. spans.Where(span => span.Parent != "" && !byId.ContainsKey(span.Parent))
                .Select(span => $"{span.Name} has a parent that is not there")];
        if (spans.Where(span => span.Parent == "").Select(span => span.Name).ToList() is not ["request"])
        {
            faults.Add("the request is not the only root");
        }

        foreach (var (name, under) in _edges)
        {
            var found = spans.Where(span => span.Name == name).ToList();
            if (found.Count == 0 || found.Exists(span => !IsUnder(byId, span, under)))
            {
                faults.Add($"{name} is not under {under}");
            }
        }

        if (spans.Where(span => span.Name is "request" or "claim" or "tunnel").Select(span => span.Process).Distinct().Count() < 3)
        {
            faults.Add("fewer than three processes");
        }

        return faults;
    }

    private static bool IsUnder(Dictionary<string, ExportedSpan> byId, ExportedSpan span, string name) =>
        byId.TryGetValue(span.Parent, out var parent) && (parent.Name == name || IsUnder(byId, parent, name));
}
