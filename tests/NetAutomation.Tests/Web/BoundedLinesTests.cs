using System.Collections.Concurrent;
using Microsoft.Extensions.Time.Testing;
using NetAutomation.Web.Telemetry;
using Serilog;
using Serilog.Core;
using Serilog.Events;

namespace NetAutomation.Tests.Web;

public sealed class BoundedLinesTests
{
    private readonly FakeTimeProvider _clock = new();
    private readonly LeftOutLines _leftOut = new();
    private readonly Lines _lines = new();
    private readonly ILogger _log;

    public BoundedLinesTests() =>
        _log = new LoggerConfiguration().MinimumLevel.Verbose().WriteTo.Sink(new BoundedLines(_lines, _leftOut, _clock)).CreateLogger();

    [Fact]
    public void One_cause_writes_60_warnings_a_minute_and_hides_no_other()
    {
        for (var i = 0; i < 100; i++)
        {
            _log.Warning("A flood, {Number}", i);
            _log.Information("A request, {Number}", i);
        }

        _log.Error("Another cause");
        _lines.Of("A flood").Count.ShouldBe(60);
        _lines.Of("A request").Count.ShouldBe(100);
        _lines.Of("Another cause").Count.ShouldBe(1);
        _leftOut.Count.ShouldBe(40);

        _clock.Advance(TimeSpan.FromMinutes(1));
        _log.Warning("A flood, {Number}", 100);
        _lines.Of("40 lines were left out since the last one: \"A flood, {Number}\"").Count.ShouldBe(1);
        _lines.Of("A flood").Count.ShouldBe(61);
    }

    [Fact]
    public void Flood_of_one_owner_writes_10_lines_a_minute_of_any_level_and_hides_no_other()
    {
        for (var i = 0; i < 100; i++)
        {
            _log.Warning("Refused: {Reason} {Owner}", "full", "greedy");
            _log.Information("A call of {Owner}", "greedy");
        }

        _log.Warning("Refused: {Reason} {Owner}", "full", "other");
        _log.Warning("Refused: {Reason} {Owner}", "rate", "greedy");
        _log.Information("A call of {Owner}", "other");
        _lines.Of("Refused").Count.ShouldBe(10 + 2);
        _lines.Of("Refused: \"full\" \"other\"").ShouldHaveSingleItem();
        _lines.Of("A call of").Count.ShouldBe(10 + 1);
        _leftOut.Count.ShouldBe(180);

        _clock.Advance(TimeSpan.FromMinutes(1));
        _log.Warning("Refused: {Reason} {Owner}", "full", "greedy");
        _lines.Of("90 lines were left out since the last one: \"Refused: {Reason} {Owner}\" \"full\" \"greedy\"").ShouldHaveSingleItem();
    }

    [Fact]
    public void Many_owners_write_600_lines_a_minute_together()
    {
        for (var i = 0; i < 5_000; i++)
        {
            _log.Warning("Refused: {Reason} {Owner}", "full", $"vpce-{i}");
        }

        _lines.Of("Refused").Count.ShouldBe(600);
        _leftOut.Count.ShouldBe(4_400);
    }

    [Fact]
    public void What_a_peer_does_on_its_connection_is_never_fatal()
    {
        _log.ForContext(Constants.SourceContextPropertyName, "Microsoft.AspNetCore.Server.Kestrel.Http2").Fatal("A peer's {Deed}", "flood");
        var line = _lines.Of("A peer's \"flood\"").ShouldHaveSingleItem();
        line.Level.ShouldBe(LogEventLevel.Warning);
        _log.Fatal("Ours");
        _lines.Of("Ours").ShouldHaveSingleItem().Level.ShouldBe(LogEventLevel.Fatal);
    }

}

/// <summary>Keeps what was written.</summary>
internal sealed class Lines : ILogEventSink
{
    private readonly ConcurrentQueue<LogEvent> _all = new();

    public List<LogEvent> Of(string begin) => Where(text => text.StartsWith(begin, StringComparison.Ordinal));

    public List<LogEvent> With(params string[] parts) =>
        Where(text => Array.TrueForAll(parts, part => text.Contains(part, StringComparison.Ordinal)));

    public void Emit(LogEvent logEvent) => _all.Enqueue(logEvent);

    private List<LogEvent> Where(Predicate<string> holds) =>
        [.. _all.Where(line => holds(line.RenderMessage(System.Globalization.CultureInfo.InvariantCulture)))];
}
