using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Serilog.Core;
using Serilog.Events;

namespace NetAutomation.Web.Telemetry;

/// <summary>
/// Writes at most 60 warnings and worse of one cause in a minute, a cause being a logger and a template, and then says how many were left
/// out. What the others do to a connection of theirs is never worse than a warning, whatever the server thinks of it.
/// </summary>
internal sealed class BoundedLines(ILogEventSink written, LeftOutLines leftOut, TimeProvider clock) : ILogEventSink
{
    private const int Most = 60;
    private const int MostCauses = 1000;

    // All that this logger of Kestrel writes is brought about by the peer of a connection.
    private const string OfPeers = "Microsoft.AspNetCore.Server.Kestrel.Http2";
    private static readonly TimeSpan _period = TimeSpan.FromMinutes(1);
    private static readonly MessageTemplate _summary =
        new Serilog.Parsing.MessageTemplateParser().Parse("{Lines} lines were left out since the last one: {Template}");

    private readonly ConcurrentDictionary<(string Logger, string Template), Cause> _causes = new();

    public void Emit(LogEvent logEvent)
    {
        if (logEvent.Level < LogEventLevel.Warning)
        {
            written.Emit(logEvent);
            return;
        }

        var source = logEvent.Properties.GetValueOrDefault(Constants.SourceContextPropertyName) as ScalarValue;
        var logger = source?.Value as string ?? "";
        if (_causes.Count >= MostCauses)
        {
            _causes.Clear();
        }

        var cause = _causes.GetOrAdd((logger, logEvent.MessageTemplate.Text), _ => new Cause());
        if (cause.Take(clock) is not { } before)
        {
            leftOut.Add();
            return;
        }

        if (before > 0)
        {
            written.Emit(With(
                logEvent, LogEventLevel.Warning, _summary, null,
                [new("Lines", new ScalarValue(before)), new("Template", new ScalarValue(logEvent.MessageTemplate.Text))]));
        }

        written.Emit(
            logger == OfPeers && logEvent.Level > LogEventLevel.Warning
                ? With(
                    logEvent, LogEventLevel.Warning, logEvent.MessageTemplate, logEvent.Exception,
                    logEvent.Properties.Select(each => new LogEventProperty(each.Key, each.Value)))
                : logEvent);
    }

    private static LogEvent With(
        LogEvent line, LogEventLevel level, MessageTemplate template, Exception? exception, IEnumerable<LogEventProperty> properties) =>
        new(line.Timestamp, level, exception, template, properties, line.TraceId ?? default, line.SpanId ?? default);

    private sealed class Cause
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

                if (_written == Most)
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
        "netautomation.log.lines.left_out", () => lines.Count, "{line}", "Lines of the log beyond 60 of one cause in a minute.");
}
