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
    public void What_a_peer_does_on_its_connection_is_never_fatal()
    {
        _log.ForContext(Constants.SourceContextPropertyName, "Microsoft.AspNetCore.Server.Kestrel.Http2").Fatal("A peer's {Deed}", "flood");
        var line = _lines.Of("A peer's \"flood\"").ShouldHaveSingleItem();
        line.Level.ShouldBe(LogEventLevel.Warning);
        _log.Fatal("Ours");
        _lines.Of("Ours").ShouldHaveSingleItem().Level.ShouldBe(LogEventLevel.Fatal);
    }

    private sealed class Lines : ILogEventSink
    {
        private readonly List<LogEvent> _all = [];

        public List<LogEvent> Of(string begin) => _all.FindAll(
            line => line.RenderMessage(System.Globalization.CultureInfo.InvariantCulture).StartsWith(begin, StringComparison.Ordinal));

        public void Emit(LogEvent logEvent) => _all.Add(logEvent);
    }
}
