using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using NetAutomation.Execution.Sandbox;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Execution;

public sealed class SandboxLinkTests
{
    [Fact]
    public async Task Dials_of_one_device_beyond_a_burst_wait_for_their_turn_and_hold_up_no_other_device()
    {
        var (clock, cancel) = (new SlowClock(), TestContext.Current.CancellationToken);
        var path = Path.Combine(Path.GetTempPath(), $"{Guid.NewGuid():n}");
        var dialled = new List<string>();
        await using var link = new SandboxLink(
            path, Own(), [Device("a"), Device("b")],
            (device, _) =>
            {
                lock (dialled)
                {
                    dialled.Add(device);
                }

                return Task.FromResult<Stream?>(null);
            },
            clock);
        link.Listen();

        for (var number = 0; number < 20; number++)
        {
            await Refused("a");
        }

        var waiting = Refused("a");
        (await clock.Asked.Task.WaitAsync(Eventually.Limit, cancel)).ShouldBe(TimeSpan.FromSeconds(3));
        await Refused("b");
        dialled.Count(device => device == "a").ShouldBe(20);
        dialled.Count(device => device == "b").ShouldBe(1);
        clock.Fire();
        await waiting;
        dialled.Count(device => device == "a").ShouldBe(21);
        File.Delete(path);

        async Task Refused(string device)
        {
            using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), cancel);
            await socket.SendAsync(Encoding.ASCII.GetBytes($"{link.AddressOf(device)} {SandboxLink.Port}\n"), cancel);
            (await socket.ReceiveAsync(new byte[1], cancel).AsTask().WaitAsync(Eventually.Limit, cancel)).ShouldBe(0);
        }
    }

    /// <summary>The effective user of this process.</summary>
    private static uint Own() => uint.Parse(
        File.ReadLines("/proc/self/status").First(line => line.StartsWith("Uid:", StringComparison.Ordinal)).Split('\t')[2],
        System.Globalization.CultureInfo.InvariantCulture);

    private static SandboxDevice Device(string name) => new(
        name, "frr", 22, "netops", RandomNumberGenerator.GetHexString(16), null, null, "SHA256:x", null);

    /// <summary>Stands still; what waits by it goes on when the test says so.</summary>
    private sealed class SlowClock : TimeProvider
    {
        private readonly DateTimeOffset _now = DateTimeOffset.UtcNow;
        private Action? _due;

        public TaskCompletionSource<TimeSpan> Asked { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public void Fire() => _due!();

        public override DateTimeOffset GetUtcNow() => _now;

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            _due = () => callback(state);
            Asked.TrySetResult(dueTime);
            return new Timer();
        }

        private sealed class Timer : ITimer
        {
            public bool Change(TimeSpan dueTime, TimeSpan period) => true;

            public void Dispose()
            {
            }

            public ValueTask DisposeAsync() => ValueTask.CompletedTask;
        }
    }
}
