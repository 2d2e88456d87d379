namespace NetAutomation.Deploy;

/// <summary>
/// Instruments of the service (docs/operating.md) that become metrics of Amazon CloudWatch, each with the labels that stay. A metric is
/// paid
/// for by each combination of their values, so what no alarm and no graph asks for is left in the log group.
/// </summary>
internal static class Instruments
{
    public static readonly IReadOnlyList<(string Name, string[] Labels)> All =
    [
        ("http.server.request.duration", []),
        ("http.server.request.duration", ["http.response.status_code"]),
        ("netautomation.billing.parked", []),
        ("netautomation.connections.oldest_undecided", []),
        ("netautomation.connectors.links", []),
        ("netautomation.edge.certificate.expires", []),
        ("netautomation.edge.operator_key.expires", []),
        ("netautomation.limits.refused", ["limit"]),
        ("netautomation.loop.runs", ["loop", "outcome"]),
        ("netautomation.metering.oldest_unreported", []),
        ("netautomation.queue.length", ["state"]),
        ("netautomation.queue.oldest", ["state"]),
        ("netautomation.run.duration", ["outcome"]),
        ("netautomation.run.event_lag", []),
        ("netautomation.sandbox.faults", ["kind"]),
    ];

    /// <summary>As the collector's configuration says it (awsemf, metric_declarations), in one line of YAML.</summary>
    public static string Declarations() => $"[{string.Join(", ", All.Select(Declaration))}]";

    /// <summary>The name of an instrument, if it comes with these labels.</summary>
    public static string Sent(string name, params IEnumerable<string> labels) =>
        All.Any(each => each.Name == name && each.Labels.SequenceEqual(labels, StringComparer.Ordinal))
            ? name : throw new InvalidOperationException($"The collector does not send {name} by {string.Join(", ", labels)}.");

    private static string Declaration((string Name, string[] Labels) metric) =>
        $"{{dimensions: [[{string.Join(", ", metric.Labels)}]], "
        + $"metric_name_selectors: ['^{metric.Name.Replace(".", "\\.", StringComparison.Ordinal)}$']}}";
}
