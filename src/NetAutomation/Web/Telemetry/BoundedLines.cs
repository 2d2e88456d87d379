using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Serilog.Core;
using Serilog.Events;

namespace NetAutomation.Web.Telemetry;

/// <summary>
/// Writes at most 60 warnings and worse of one cause in a minute, a cause being a logger and a template, and then says how many were left
/// out. Where a line of any level names its <c>Owner</c>, owner and <c>Reason</c> are a cause: 10 lines of each are written and 600 of all,
/// so that the flood of one hides no other. What the others do to a connection of theirs is never worse than a warning, whatever the server
/// thinks of it.
/// </summary>
internal sealed class BoundedLines(ILogEventSink written, LeftOutLines leftOut, TimeProvider clock) : ILogEventSink
{
    private const int Most = 60;
    private const int MostOfOwner = 10;
    private const int MostOfOwners = 600;
    private const int MostCauses = 1000;

    // All that this logger of Kestrel writes is brought about by the peer of a connection.
    private const string OfPeers = "Microsoft.AspNetCore.Server.Kestrel.Http2";
    private static readonly TimeSpan _period = TimeSpan.FromMinutes(1);
    private static readonly MessageTemplate _summary =
        new Serilog.Parsing.MessageTemplateParser().Parse("{Lines} lines were left out since the last one: {Template}");

    private static readonly MessageTemplate _summaryOfOwner =
        new Serilog.Parsing.MessageTemplateParser().Parse("{Lines} lines were left out since the last one: {Template} {Reason} {Owner}");

    private readonly ConcurrentDictionary<(string Logger, string Template), Cause> _causes = new();
    private readonly ConcurrentDictionary<(string Logger, string Template, string Reason, string Owner), Cause> _owners = new();

    public void Emit(LogEvent logEvent)
    {
        var owner = Text(logEvent, "Owner");
        if (logEvent.Level < LogEventLevel.Warning && owner is null)
        {
            written.Emit(logEvent);
            return;
        }

        var (logger, template) = (Text(logEvent, Constants.SourceContextPropertyName) ?? "", logEvent.MessageTemplate.Text);
        var reason = Text(logEvent, "Reason") ?? "";
        if ((owner is not null
                && !Take(logEvent, Of(_owners, (logger, template, reason, owner), MostOfOwner), _summaryOfOwner, reason, owner))
            || !Take(logEvent, Of(_causes, (logger, template), owner is null ? Most : MostOfOwners), _summary, reason, owner ?? ""))
        {
            return;
        }

        written.Emit(
            logger == OfPeers && logEvent.Level > LogEventLevel.Warning
                ? With(
                    logEvent, LogEventLevel.Warning, logEvent.MessageTemplate, logEvent.Exception,
                    logEvent.Properties.Select(each => new LogEventProperty(each.Key, each.Value)))
                : logEvent);
    }

    private static string? Text(LogEvent line, string property) =>
        (line.Properties.GetValueOrDefault(property) as ScalarValue)?.Value as string;

    private static Cause Of<TKey>(ConcurrentDictionary<TKey, Cause> causes, TKey key, int most)
        where TKey : notnull
    {
        if (causes.Count >= MostCauses)
        {
            causes.Clear();
        }

        return causes.GetOrAdd(key, _ => new Cause(most));
    }

    /// <summary>False where the line is left out. Else it says before how many were.</summary>
    private bool Take(LogEvent line, Cause cause, MessageTemplate summary, string reason, string owner)
    {
        if (cause.Take(clock) is not { } before)
        {
            leftOut.Add();
            return false;
        }

        if (before > 0)
        {
            written.Emit(With(
                line, line.Level < LogEventLevel.Warning ? line.Level : LogEventLevel.Warning, summary, null,
                [
                    new("Lines", new ScalarValue(before)), new("Template", new ScalarValue(line.MessageTemplate.Text)),
                    new("Reason", new ScalarValue(reason)), new("Owner", new ScalarValue(owner)),
                ]));
        }

        return true;
    }

    private static LogEvent With(
        LogEvent line, LogEventLevel level, MessageTemplate template, Exception? exception, IEnumerable<LogEventProperty> properties) =>
        new(line.Timestamp, level, exception, template, properties, line.TraceId ?? default, line.SpanId ?? default);

    private sealed class Cause(int most)
    {
        private readonly Lock _gate = new();
        private long? _begun;
        private int _written;
        private int _leftOut;

        /// <summary>Null where the line is left out; else how many were left out before it.</summary>
        public int? Take(TimeProvider clock)
        {
            lock (_gate)
            {
                var before = 0;
                if (_begun is not { } begun || clock.GetElapsedTime(begun) >= _period)
                {
                    (_begun, _written, before, _leftOut) = (clock.GetTimestamp(), 0, _leftOut, 0);
                }

                if (_written == most)
                {
                    _leftOut++;
                    return null;
                }

                _written++;
                return before;
            }
        }
    }
}

/// <summary>How many lines <see cref="BoundedLines"/> left out.</summary>
internal sealed class LeftOutLines
{
    private long _count;

    public long Count => Interlocked.Read(ref _count);

    public void Add() => Interlocked.Increment(ref _count);
}

/// <summary>Shows what the log does not.</summary>
internal sealed class LogMetrics
{
    public LogMetrics(IMeterFactory meters, LeftOutLines lines) => meters.Create("NetAutomation.Log").CreateObservableCounter(
        "netautomation.log.lines.left_out", () => lines.Count, "{line}",
        "Lines of the log beyond those that one cause writes in a minute.");
}
