using System.Diagnostics;

namespace NetAutomation.Web.Telemetry;

/// <summary>Spans of the service's own. Without a listener there are none.</summary>
internal static class Spans
{
    public const string SourceName = "NetAutomation";
    private static readonly ActivitySource _source = new(SourceName);

    /// <summary>The current position in the trace, as a traceparent of W3C; a new trace where there is none.</summary>
    public static string Here => Activity.Current is { IdFormat: ActivityIdFormat.W3C, Id: { } id }
        ? id
        : $"00-{ActivityTraceId.CreateRandom()}-{ActivitySpanId.CreateRandom()}-00";

    public static Activity? Start(string name, ActivityKind kind = ActivityKind.Internal) => _source.StartActivity(name, kind);

    public static Activity? StartUnder(Activity? parent, string name, ActivityKind kind) =>
        parent is null ? Start(name, kind) : _source.StartActivity(name, kind, parent.Context);

    /// <summary>Continues a stored trace. Where another trace is current, it is linked.</summary>
    public static Activity? StartIn(string? traceParent, string name, ActivityKind kind = ActivityKind.Internal)
    {
        var here = Activity.Current;
        return ActivityContext.TryParse(traceParent, null, isRemote: true, out var stored) && stored.TraceId != here?.TraceId
            ? _source.StartActivity(name, kind, stored, links: here is null ? null : [new ActivityLink(here.Context)])
            : Start(name, kind);
    }
}
