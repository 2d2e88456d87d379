using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using NetAutomation.Execution.Sandbox;
using NetAutomation.Runs;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Execution;

/// <summary>The host's users that sandboxes run as, and what is not shared for that.</summary>
[Trait("Requires", "sandbox")]
public sealed class SandboxUserTests(SandboxFixture fixture) : IClassFixture<SandboxFixture>, IDisposable
{
    private const string HostKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    private const string Fingerprint = "SHA256:kmYcvdi2GkPeWxB6XLjrZB8JHsy2Hm8luHMFp9GMvqk";

    private const string Playbook = """
        - vars: { ansible_connection: local }
          block:
            - ansible.builtin.command:
                argv: [/usr/bin/python3, "{{ block_part | dirname }}/program.py", "{{ block_input.what }}"]
              register: said
            - ansible.builtin.set_fact:
                block_result: "{{ said.stdout | from_json }}"
        """;

    // Asks for a stream to say that it has begun, takes all it can get, and asks again to say so. Each ends when it is refused.
    private const string Hoard = """
        import os, socket, signal, sys, threading, time
        def ask():
            with socket.socket(socket.AF_UNIX) as link:
                link.connect("/run/link/sock")
                link.sendall(b"127.1.0.1 2222\n")
                link.recv(1)
        def each(number, work):
            for _ in range(number):
                reader, writer = os.pipe()
                if not os.fork():
                    work()
                    os.write(writer, b"x")
                    time.sleep(600)
                    os._exit(0)
                os.read(reader, 1)
        def open_pipes():
            try:
                while True:
                    os.pipe()
            except OSError:
                pass
        def send(socket):
            try:
                while True:
                    socket.sendmsg([b"x"], [(1, 1, b"\0\0\0\0" * 200)])
            except OSError:
                pass
        def nothing():
            pass
        def pipes():
            each(8, open_pipes)
        def signals():
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGRTMIN})
            try:
                while True:
                    signal.pthread_kill(threading.get_ident(), signal.SIGRTMIN)
            except OSError:
                pass
        def rights():
            held = [socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(8)]
            for pair in held:
                pair[0].setblocking(False)
                send(pair[0])
            globals()["held"] = held
        def processes():
            try:
                while True:
                    if not os.fork():
                        os.closerange(0, 3)
                        time.sleep(600)
                        os._exit(0)
            except OSError:
                pass
        ask()
        globals()[sys.argv[1]]()
        ask()
        print("{}")
        """;

    // What a program of the user gets that Linux counts by user.
    private const string Look = """
        import fcntl, json, os, signal, socket, threading
        def works(action):
            try:
                action()
                return True
            except OSError:
                return False
        def fork():
            pid = os.fork()
            if not pid:
                os._exit(0)
            os.waitpid(pid, 0)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGRTMIN})
        pair = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        print(json.dumps({
            "pipe": fcntl.fcntl(os.pipe()[0], 1032),
            "process": works(fork),
            "signal": works(lambda: signal.pthread_kill(threading.get_ident(), signal.SIGRTMIN)),
            "rights": works(lambda: pair[0].sendmsg([b"x"], [(1, 1, b"\0\0\0\0")]))}))
        """;

    private readonly string _ranges = Directory.CreateTempSubdirectory("na-r").FullName;
    private readonly Lines _log = new();
    private int _number;

    public void Dispose() => Directory.Delete(_ranges, recursive: true);

    [Fact]
    public async Task Sandboxes_of_two_workers_have_users_of_their_own_until_the_range_is_used_up_and_then_the_one_who_starts_them()
    {
        await SkipUnlessOwn();
        var range = Range(2);
        await using var one = SandboxFixture.Launch(fixture.Options, fixture.UsersOf(fixture.Options, _ranges, _log));
        await using var two = SandboxFixture.Launch(fixture.Options, fixture.UsersOf(fixture.Options, _ranges, _log));
        await using var first = await Hold(one);
        await using var second = await Hold(two);

        await using var third = await Hold(one);
        await using var fourth = await Hold(one);

        new[] { first.User, second.User }.ShouldBe(range, ignoreOrder: true);
        range.ShouldNotContain(Starter);
        (third.User, fourth.User).ShouldBe((Starter, Starter));
        _log.ShouldHaveSingleItem().ShouldBe($"All 2 user ids of sandboxes are in use: further sandboxes share {Starter}");
        foreach (var each in new[] { first, second, third, fourth })
        {
            (await each.End()).Devices[0].Outcome.ShouldBe(DeviceOutcome.Changed);
        }
    }

    [Fact]
    public async Task User_is_given_back_when_its_sandbox_has_ended()
    {
        await SkipUnlessOwn();
        var range = Range(2);
        await using var launcher = SandboxFixture.Launch(fixture.Options, fixture.UsersOf(fixture.Options, _ranges, _log));

        for (var number = 0; number < 5; number++)
        {
            await using var sandbox = await Hold(launcher);

            range.ShouldContain(sandbox.User);
            (await sandbox.End()).Gone.ShouldBeTrue();
        }

        _log.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("pipes")]
    [InlineData("signals")]
    [InlineData("rights")]
    [InlineData("processes")]
    public async Task Sandbox_that_takes_all_a_user_may_have_leaves_as_much_to_another_and_to_the_user_who_starts_them(string what)
    {
        await SkipUnlessOwn();
        var usual = (Inside: await LookInside(), Outside: await LookOutside());

        await using var hoard = await Hold(fixture.Launcher, what);

        (await LookInside()).ShouldBe(usual.Inside);
        (await LookOutside()).ShouldBe(usual.Outside);
        (await hoard.End()).Gone.ShouldBeTrue();
    }

    [Fact]
    public async Task Link_serves_the_user_of_its_sandbox_alone_and_says_once_that_another_came()
    {
        await SkipUnlessPossible();
        await using var launcher = SandboxFixture.Launch(fixture.Options, fixture.Users, _log);
        await using var sandbox = await Hold(launcher);

        for (var number = 0; number < 3; number++)
        {
            using var link = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            await link.ConnectAsync(new UnixDomainSocketEndPoint(sandbox.Link), TestContext.Current.CancellationToken);
            (await Heard(link)).ShouldBe(0);
        }

        sandbox.Dials.ShouldBe(2);
        _log.ShouldHaveSingleItem().ShouldContain($"is for {sandbox.User} alone");
        (await sandbox.End()).Devices[0].Outcome.ShouldBe(DeviceOutcome.Changed);
    }

    [Fact]
    public async Task Sandboxes_share_the_user_who_starts_them_where_the_host_gives_it_no_others()
    {
        await SkipUnlessPossible();
        var users = fixture.UsersOf(fixture.Options, _ranges);
        await using var launcher = SandboxFixture.Launch(fixture.Options, users);
        await using var first = await Hold(launcher);
        await using var second = await Hold(launcher);

        users.Ids.ShouldContain("no range in /etc/subuid and /etc/subgid");
        (first.User, second.User).ShouldBe((Starter, Starter));
        (await first.End()).Devices[0].Outcome.ShouldBe(DeviceOutcome.Changed);
        (await second.End()).Devices[0].Outcome.ShouldBe(DeviceOutcome.Changed);
    }

    [Fact]
    public async Task Sandboxes_share_the_user_who_starts_them_where_others_cannot_read_the_engine()
    {
        await SkipUnlessOwn();
        var closed = Path.Combine(fixture.Content, "closed");
        Directory.CreateDirectory(closed);
        File.SetUnixFileMode(closed, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);

        var users = new SandboxUsers(fixture.Options, Path.Combine(closed, "content"), _log);

        users.Missing.ShouldNotBeNull().ShouldContain(closed);
        using var user = users.Take();
        user.Id.ShouldBe(Starter);
    }

    private uint Starter => uint.Parse(
        fixture.Options.SandboxUid?.ToString(CultureInfo.InvariantCulture) ?? Status(Environment.ProcessId, "Uid"),
        CultureInfo.InvariantCulture);

    private static string Status(int pid, string name) => File.ReadLines($"/proc/{pid}/status")
        .First(line => line.StartsWith(name + ":", StringComparison.Ordinal)).Split('\t')[1];

    private static async Task<int> Heard(Socket link)
    {
        try
        {
            await link.SendAsync("127.1.0.1 2222\n"u8.ToArray());
            return await link.ReceiveAsync(new byte[1]);
        }
        catch (SocketException)
        {
            // Closed before it was asked.
            return 0;
        }
    }

    /// <summary>Gives sandboxes so many of the ids that the host has for them.</summary>
    private List<uint> Range(int count)
    {
        List<uint> ids = [];
        foreach (var file in new[] { "subuid", "subgid" })
        {
            var line = File.ReadLines("/etc/" + file).Select(each => each.Split(':'))
                .First(each => each[0] == Starter.ToString(CultureInfo.InvariantCulture) || each[0] == StarterName());
            var first = uint.Parse(line[1], CultureInfo.InvariantCulture) + uint.Parse(line[2], CultureInfo.InvariantCulture) - (uint)count;
            File.WriteAllText(Path.Combine(_ranges, file), $"{Starter}:{first}:{count}\n");
            ids = [.. Enumerable.Range(0, count).Select(number => first + (uint)number)];
        }

        return ids;
    }

    private string StarterName() => File.ReadLines("/etc/passwd").Select(line => line.Split(':'))
        .First(user => user[2] == Starter.ToString(CultureInfo.InvariantCulture))[0];

    private async Task<string> LookInside()
    {
        var (result, _) = await SandboxFixture.Finish(fixture.Launcher.Start(Job(Look, ""), (_, _) => Task.FromResult<Stream?>(null)));
        return result.Devices[0].Result.ShouldNotBeNull(result.Devices[0].Message).ToString();
    }

    private async Task<string> LookOutside()
    {
        string[] user = fixture.Options.SandboxUid is { } id ? ["setpriv", $"--reuid={id}", $"--regid={id}", "--clear-groups"] : [];
        using var process =
            Process.Start(
                new ProcessStartInfo("/usr/bin/env", [.. user, "/usr/bin/python3", "-c", Look])
                {
                    UseShellExecute = false, RedirectStandardOutput = true,
                })!;
        var said = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        process.ExitCode.ShouldBe(0);
        return said;
    }

    /// <summary>Starts a sandbox and waits until it has all it wants.</summary>
    private async Task<Held> Hold(ISandboxLauncher launcher, string what = "nothing")
    {
        var held = new Held(Path.Combine(fixture.Options.WorkDirectory, $"run_{_number + 1}_{Path.GetFileName(_ranges)}"));
        held.Run = SandboxFixture.Finish(launcher.Start(Job(Hoard, what), (_, cancel) => held.Dial(cancel)));
        await Task.WhenAny(held.Height, held.Run).WaitAsync(Eventually.Limit);
        held.Height.IsCompleted.ShouldBeTrue(held.Run.IsCompleted ? (await held.Run).Result.Devices[0].Message : "");
        return held;
    }

    private SandboxJob Job(string program, string what)
    {
        var block = fixture.Block(Playbook);
        SandboxFixture.Write(Path.Combine(block, "platforms"), "program.py", program);
        var device = new SandboxDevice("dev_1", "frr", 22, "netops", "secret", null, null, Fingerprint, HostKey);
        return new SandboxJob(
            $"run_{++_number}_{Path.GetFileName(_ranges)}", block, fixture.Platforms, false,
            JsonSerializer.SerializeToElement(new { what }), [device], TimeSpan.FromMinutes(3), TimeSpan.FromMinutes(3));
    }

    private async Task SkipUnlessPossible()
    {
        var faults = await SandboxProbe.Check(fixture.Options, fixture.Users);
        Assert.SkipWhen(faults.Count > 0, string.Join(' ', faults));
    }

    private async Task SkipUnlessOwn()
    {
        await SkipUnlessPossible();
        Assert.SkipWhen(fixture.Users.Missing is not null, fixture.Users.Ids);
    }

    /// <summary>A sandbox that has asked for its second stream and waits for the answer.</summary>
    private sealed class Held(string place) : IAsyncDisposable
    {
        private readonly TaskCompletionSource _height = new();
        private readonly TaskCompletionSource _over = new();
        private int _dials;

        public Task<(SandboxResult Result, List<SandboxEvent> Events)> Run { get; set; } = null!;

        public Task Height => _height.Task;

        public string Link => Path.Combine(place, "link/sock");

        public int Dials => _dials;

        /// <summary>As the host sees it.</summary>
        public uint User => uint.Parse(Status(FirstPid(), "Uid"), CultureInfo.InvariantCulture);

        public async Task<Stream?> Dial(CancellationToken cancel)
        {
            if (Interlocked.Increment(ref _dials) == 1)
            {
                LiftProcesses();
                return null;
            }

            _height.TrySetResult();
            await _over.Task.WaitAsync(cancel);
            return null;
        }

        public async Task<SandboxResult> End()
        {
            _over.TrySetResult();
            return (await Run.WaitAsync(Eventually.Limit)).Result;
        }

        public async ValueTask DisposeAsync()
        {
            _over.TrySetResult();
            await Run.WaitAsync(Eventually.Limit);
        }

        /// <summary>Takes the limit of processes away that the host counts by group, as where there are no groups.</summary>
        private void LiftProcesses()
        {
            var limits = from line in File.ReadLines($"/proc/{FirstPid()}/cgroup")
                         where line.Contains("/sandbox-", StringComparison.Ordinal)
                         from mount in (string[])["/sys/fs/cgroup", .. Directory.GetDirectories("/sys/fs/cgroup")]
                         select $"{mount}{line.Split(':', 3)[2]}/pids.max";
            foreach (var limit in limits.Where(File.Exists))
            {
                File.WriteAllText(limit, "max");
            }
        }

        private int FirstPid() =>
            SandboxFixture.Json(File.ReadAllText(Path.Combine(place, "info.json"))).GetProperty("child-pid").GetInt32();
    }

    /// <summary>What is logged.</summary>
    private sealed class Lines : ConcurrentQueue<string>, ILogger<BubblewrapLauncher>
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            Enqueue(formatter(state, exception));
    }
}
