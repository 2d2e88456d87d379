using System.Net;
using Microsoft.Extensions.Time.Testing;
using NetAutomation.Connector;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Connector;

public sealed class DeviceLimitsTests
{
    private static readonly TimeSpan _deadline = TimeSpan.FromSeconds(10);
    private readonly FakeTimeProvider _time = new(TimeProvider.System.GetUtcNow());

    [Fact]
    public async Task Session_too_many_waits_for_one_to_end_and_is_turned_away_after_two_seconds()
    {
        var limits = new DeviceLimits(2, 100, 100, _time);
        var first = await Now(limits.Enter(Device(1), _deadline, default));
        await Now(limits.Enter(Device(1), _deadline, default));
        var waiting = limits.Enter(Device(1), _deadline, default);
        var late = limits.Enter(Device(1), _deadline, default);
        (await Now(limits.Enter(Device(2), _deadline, default))).ShouldNotBeNull();
        waiting.IsCompleted.ShouldBeFalse();
        first!.Dispose();
        // Disposing a place several times frees it once.
        first.Dispose();
        (await waiting.WaitAsync(Eventually.Limit)).ShouldNotBeNull();
        _time.Advance(TimeSpan.FromSeconds(1.9));
        late.IsCompleted.ShouldBeFalse();
        _time.Advance(TimeSpan.FromSeconds(0.2));
        (await late.WaitAsync(Eventually.Limit)).ShouldBeNull();
        // A refused caller holds no place.
        (await waiting)!.Dispose();
        (await limits.Enter(Device(1), _deadline, default).WaitAsync(Eventually.Limit)).ShouldNotBeNull();
    }

    [Fact]
    public async Task Connection_too_early_waits_for_its_turn_and_is_turned_away_at_once_where_that_is_far()
    {
        var limits = new DeviceLimits(1000, 5, 1000, _time);
        for (var i = 0; i < 5; i++)
        {
            (await Now(limits.Enter(Device(1), _deadline, default))).ShouldNotBeNull();
        }

        var waiting = Enumerable.Range(0, 10).Select(_ => limits.Enter(Device(1), _deadline, default)).ToList();
        (await Now(limits.Enter(Device(1), _deadline, default))).ShouldBeNull();
        (await Now(limits.Enter(Device(2), _deadline, default))).ShouldNotBeNull();
        for (var i = 0; i < 10; i++)
        {
            waiting[i].IsCompleted.ShouldBeFalse();
            _time.Advance(TimeSpan.FromSeconds(0.2));
            (await waiting[i].WaitAsync(Eventually.Limit)).ShouldNotBeNull();
        }
    }

    [Fact]
    public async Task Pause_earns_one_second_of_connections_and_no_more()
    {
        var limits = new DeviceLimits(1000, 5, 1000, _time);
        await Now(limits.Enter(Device(1), _deadline, default));
        _time.Advance(TimeSpan.FromHours(1));
        for (var i = 0; i < 5; i++)
        {
            await Now(limits.Enter(Device(1), _deadline, default));
        }

        limits.Enter(Device(1), _deadline, default).IsCompleted.ShouldBeFalse();
    }

    [Fact]
    public async Task All_devices_share_the_rate_of_the_connector()
    {
        var limits = new DeviceLimits(4, 5, 50, _time);
        for (var i = 0; i < 50; i++)
        {
            (await Now(limits.Enter(Device(i), _deadline, default))).ShouldNotBeNull();
        }

        var next = limits.Enter(Device(50), _deadline, default);
        next.IsCompleted.ShouldBeFalse();
        _time.Advance(TimeSpan.FromSeconds(0.02));
        (await next.WaitAsync(Eventually.Limit)).ShouldNotBeNull();
    }

    [Fact]
    public async Task Short_deadline_is_not_spent_on_waiting()
    {
        var limits = new DeviceLimits(1, 5, 50, _time);
        await Now(limits.Enter(Device(1), _deadline, default));
        var waiting = limits.Enter(Device(1), TimeSpan.FromSeconds(1), default);
        _time.Advance(TimeSpan.FromSeconds(0.6));
        (await waiting.WaitAsync(Eventually.Limit)).ShouldBeNull();
    }

    [Fact]
    public async Task Caller_that_gives_up_holds_nothing()
    {
        var limits = new DeviceLimits(1, 5, 50, _time);
        var first = await Now(limits.Enter(Device(1), _deadline, default));
        using var cancel = new CancellationTokenSource();
        var waiting = limits.Enter(Device(1), _deadline, cancel.Token);
        await cancel.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(() => waiting);
        first!.Dispose();
        (await Now(limits.Enter(Device(1), _deadline, default))).ShouldNotBeNull();
    }

    private static IPEndPoint Device(int number) => new(new IPAddress([10, 0, 0, (byte)number]), 22);

    private static Task<IDisposable?> Now(Task<IDisposable?> entering)
    {
        entering.IsCompleted.ShouldBeTrue();
        return entering;
    }
}
