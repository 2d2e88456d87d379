using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using NetAutomation.Tests.Support;
using NetAutomation.Web.Loops;

namespace NetAutomation.Tests.Web;

public sealed class LoopTests
{
    private static readonly TimeSpan _soon = TimeSpan.FromMilliseconds(1);

    [Fact]
    public async Task Loop_that_throws_stops_no_neighbour_and_goes_on_later()
    {
        var (failing, working) = (new Signal(3), new Signal(3));
        var mended = false;
        var loops = new LoopRegistry(
        [
            new Loop("test.failing", _soon, _ =>
            {
                failing.Count();
                return mended ? Task.CompletedTask : throw new InvalidOperationException("broken");
            }, TimeProvider.System, NullLogger.Instance) { FirstPause = _soon },
            new Loop("test.working", _soon, _ => Task.FromResult(working.Count()), TimeProvider.System, NullLogger.Instance),
        ]);
        Loop Named(string name) => loops.All.Single(loop => loop.Name == name);
        using var host = new LoopHost(loops);
        await host.StartAsync(CancellationToken.None);

        await Task.WhenAll(failing.Reached, working.Reached).WaitAsync(Eventually.Limit);
        Named("test.failing").Status.LastSuccess.ShouldBeNull();
        mended = true;
        await Eventually.Holds(() => Named("test.failing").Status.LastSuccess is not null);
        await host.StopAsync(CancellationToken.None);
        Named("test.failing").Status.Failures.ShouldBeGreaterThanOrEqualTo(3);
        Named("test.working").Status.Failures.ShouldBe(0);
    }

    [Fact]
    public async Task Loop_that_never_ends_holds_up_no_neighbour()
    {
        var working = new Signal(3);
        using var host = new LoopHost(new LoopRegistry(
        [
            new Loop("test.endless", _soon, cancel => Task.Delay(Timeout.Infinite, cancel), TimeProvider.System, NullLogger.Instance),
            new Loop("test.working", _soon, _ => Task.FromResult(working.Count()), TimeProvider.System, NullLogger.Instance),
        ]));
        await host.StartAsync(CancellationToken.None);
        await working.Reached.WaitAsync(Eventually.Limit);
        await host.StopAsync(CancellationToken.None);
    }

    [Fact]
    public async Task Run_that_fails_is_logged_and_counted_and_keeps_the_last_success()
    {
        var log = new LoggedLines();
        var fails = false;
        var loop =
            new Loop(
                "test.one", _soon, _ => fails ? throw new InvalidOperationException("broken") : Task.CompletedTask, TimeProvider.System,
                log);
        (await loop.RunOnce(CancellationToken.None)).ShouldBeTrue();
        var success = loop.Status.LastSuccess.ShouldNotBeNull();
        fails = true;
        (await loop.RunOnce(CancellationToken.None)).ShouldBeFalse();
        loop.Status.ShouldBe(new LoopStatus(2, 1, success, loop.Status.Took));
        log.Lines.ShouldBe(["Loop test.one failed; it goes on"]);
    }

    [Fact]
    public async Task Stopping_is_no_failure()
    {
        var loop = new Loop("test.one", _soon, cancel => Task.Delay(Timeout.Infinite, cancel), TimeProvider.System, NullLogger.Instance);
        using var stop = new CancellationTokenSource();
        var running = loop.Run(stop.Token);
        await stop.CancelAsync();
        await running.WaitAsync(Eventually.Limit);
        loop.Status.Failures.ShouldBe(0);
    }

    [Fact]
    public void Two_loops_of_one_name_are_refused()
    {
        Loop[] twins =
            [.. Enumerable.Range(0, 2)
                .Select(_ => new Loop("test.one", _soon, _ => Task.CompletedTask, TimeProvider.System, NullLogger.Instance))];
        Should.Throw<ArgumentException>(() => new LoopRegistry(twins)).Message.ShouldContain("test.one");
    }

    private sealed class Signal(int wanted)
    {
        private readonly TaskCompletionSource _reached = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _count;

        public Task Reached => _reached.Task;

        public int Count()
        {
            if (Interlocked.Increment(ref _count) == wanted)
            {
                _reached.SetResult();
            }

            return _count;
        }
    }

    private sealed class LoggedLines : ILogger
    {
        public List<string> Lines { get; } = [];

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            Lines.Add(formatter(state, exception));
    }
}
