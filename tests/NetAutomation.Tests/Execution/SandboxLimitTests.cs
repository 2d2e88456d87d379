using System.Diagnostics;
using System.Text.Json;
using NetAutomation.Execution;
using NetAutomation.Execution.Sandbox;
using NetAutomation.Runs;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Execution;

/// <summary>What a sandbox may use of its host, what it costs the others, and what is said where there is none.</summary>
[Trait("Requires", "sandbox")]
public sealed class SandboxLimitTests(SandboxFixture fixture) : IClassFixture<SandboxFixture>
{
    // No device has this key; the sandbox needs one although it makes no connection.
    private const string HostKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

    private const string Playbook = """
        - vars: { ansible_connection: local }
          block:
            - ansible.builtin.command:
                argv: [/usr/bin/python3, "{{ block_part | dirname }}/program.py", "{{ block_input.what }}"]
              register: said
            - ansible.builtin.set_fact:
                block_result: "{{ said.stdout | from_json }}"
        """;

    // Takes all it can get, says so by asking for a stream, and ends when that is refused.
    private const string Attack = """
        import os, socket, sys, time
        def child(work):
            pid = os.fork()
            if not pid:
                os.closerange(0, 3)
                work()
                time.sleep(600)
                os._exit(0)
            return pid
        def grow(most):
            held = []
            while len(held) < most:
                held.append(bytearray(b"x") * (16 << 20))
            time.sleep(600)
        def processes():
            try:
                while True:
                    child(lambda: None)
            except OSError:
                pass
        def memory():
            os.waitpid(child(lambda: grow(1 << 20)), 0)
            child(lambda: grow(30))
        def files():
            for directory in ("/tmp", "/home/run", "/dev/shm"):
                for number in range(100):
                    try:
                        with open(f"{directory}/fill{number}", "wb") as file:
                            while True:
                                file.write(b"x" * (1 << 20))
                    except OSError:
                        pass
        def open_all():
            try:
                while True:
                    os.pipe()
            except OSError:
                pass
        def descriptors():
            for _ in range(40):
                child(open_all)
            open_all()
        link = socket.socket(socket.AF_UNIX)
        globals()[sys.argv[1]]()
        link.connect("/run/link/sock")
        link.sendall(b"127.1.0.1 2222\n")
        link.recv(1)
        sys.exit("ended")
        """;

    private const string Look = """
        import json, os, resource, stat
        mounts = {}
        for line in open("/proc/self/mountinfo"):
            fields, kind = line.split(), line.split(" - ")[1].split()
            mounts[fields[4]] = "ro" in fields[5].split(",") or "ro" in kind[2].split(",")
        writable = {}
        for path, read_only in mounts.items():
            if not read_only and not stat.S_ISCHR(os.stat(path).st_mode):
                seen = os.statvfs(path)
                writable[path] = seen.f_blocks * seen.f_frsize
        try:
            os.openpty()
            terminal = True
        except OSError:
            terminal = False
        print(json.dumps({"writable": writable, "terminal": terminal, "limits": [
            resource.getrlimit(each) for each in
            (resource.RLIMIT_NPROC, resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE, resource.RLIMIT_CORE,
             resource.RLIMIT_SIGPENDING)]}))
        """;

    private readonly string _id = "run_" + Guid.NewGuid().ToString("N")[..12];

    [Fact]
    public async Task Every_place_that_a_block_can_write_to_has_its_promised_size()
    {
        await SkipUnlessPossible();

        var (result, _) = await SandboxFixture.Finish(Start(_id, Block(Look), "", Refuse));

        var seen = result.Devices[0].Result.ShouldNotBeNull(result.Devices[0].Message);
        seen.GetProperty("writable").Deserialize<Dictionary<string, long>>().ShouldBe(
            new Dictionary<string, long>
            {
                ["/tmp"] = SandboxLimits.Temporary, ["/home"] = SandboxLimits.Home, ["/dev/shm"] = SandboxLimits.SharedMemory,
            },
            ignoreOrder: true);
        seen.GetProperty("terminal").GetBoolean().ShouldBeFalse();
        var limits = seen.GetProperty("limits").Deserialize<long[][]>()!;
        limits.ShouldAllBe(limit => limit[0] == limit[1]);
        limits[0][0].ShouldBeInRange(SandboxLimits.ProcessesFor(1), SandboxLimits.ProcessesFor(fixture.Options.DevicesAtOnce) + 16);
        limits.Skip(1).Select(limit => limit[0]).ShouldBe([SandboxLimits.Descriptors, SandboxLimits.File, 0, SandboxLimits.Signals]);
    }

    [Theory]
    [InlineData("processes", DeviceCode.SandboxLimit)]
    [InlineData("memory", DeviceCode.SandboxLimit)]
    [InlineData("files", DeviceCode.TaskFailed)]
    [InlineData("descriptors", DeviceCode.TaskFailed)]
    public async Task Block_that_takes_all_it_can_harms_no_other_sandbox_and_leaves_nothing(string what, string code)
    {
        await SkipUnlessPossible();
        var bounded = ControlGroups.Own.Controllers.ToList();
        Assert.SkipWhen(what == "memory" && !bounded.Contains("memory"), "this host bounds no memory");
        var (height, over) = (new TaskCompletionSource(), new TaskCompletionSource());
        var attack = SandboxFixture.Finish(Start(_id, Block(Attack), what, async (_, cancel) =>
        {
            height.TrySetResult();
            await over.Task.WaitAsync(cancel);
            return null;
        }));
        await Task.WhenAny(height.Task, attack).WaitAsync(Eventually.Limit);
        var groups = Groups(_id);

        var harmless = fixture.Block("- ansible.builtin.set_fact: { block_result: done }\n");
        var other = SandboxFixture.Finish(Start(_id + "b", harmless, "", Refuse));
        var probe =
            await fixture.Launcher.Probe([Device()], Refuse, TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken);
        var (otherResult, _) = await other;
        over.SetResult();
        var (result, _) = await attack.WaitAsync(Eventually.Limit);

        height.Task.IsCompleted.ShouldBeTrue(result.Devices[0].Message);
        (otherResult.Fault, otherResult.Devices[0].Outcome).ShouldBe((null, DeviceOutcome.Ok), otherResult.Devices[0].Message);
        probe[0].Code.ShouldBe(DeviceCode.ConnectRefused);
        result.Gone.ShouldBeTrue();
        result.Devices[0].Outcome.ShouldBe(DeviceOutcome.Failed);
        if (bounded.Contains("pids"))
        {
            result.Devices[0].Code.ShouldBe(code, result.Devices[0].Message);
            groups.ShouldNotBeEmpty();
        }

        groups.Where(Directory.Exists).ShouldBeEmpty();
    }

    [Fact]
    public async Task Sandbox_that_does_not_start_is_no_fault_of_the_device()
    {
        await SkipUnlessPossible();
        await using var ending = Launcher(bubblewrap: "/usr/bin/false", fixture.Options.WorkDirectory);
        await using var refused = Launcher(fixture.Options.Bubblewrap, workDirectory: "/proc/na");

        var (result, _) = await SandboxFixture.Finish(ending.Start(Job(_id, Block(Look), ""), Refuse));
        var probe = await ending.Probe([Device()], Refuse, TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken);

        (result.Devices[0].Outcome, result.Devices[0].Code, result.Devices[0].Contacted)
            .ShouldBe((DeviceOutcome.NotStarted, DeviceCode.SandboxFailed, false));
        result.Fault.ShouldNotBeNull();
        (probe[0].Reachable, probe[0].Stage, probe[0].Code).ShouldBe((false, null, DeviceCode.SandboxFailed));
        Should.Throw<SandboxFailedException>(() => refused.Start(Job(_id, Block(Look), ""), Refuse));
        await Should.ThrowAsync<SandboxFailedException>(() => refused.Probe([Device()], Refuse, TimeSpan.FromSeconds(60)));
    }

    [Fact]
    public async Task Groups_of_a_process_that_died_are_swept_with_what_is_in_them()
    {
        using var own = ControlGroups.Own.Make(fixture.Options, devices: 1);
        var roots = own.Doors.Select(door => Path.GetDirectoryName(Path.GetDirectoryName(door)!)!).ToList();
        Assert.SkipWhen(roots.Count == 0, "this host lets no control group be made");
        // No process has had this pid since that tick.
        var dead = roots.Select(root => Path.Combine(root, $"sandbox-1-0-{Guid.NewGuid():N}")).ToList();
        dead.ForEach(each => Directory.CreateDirectory(each));
        using var left = Process.Start("/usr/bin/sleep", "600");
        foreach (var each in dead)
        {
            await File.WriteAllTextAsync(Path.Combine(each, "cgroup.procs"), $"{left.Id}");
        }

        var found = new ControlGroups(File.ReadAllLines("/proc/self/cgroup"), File.ReadAllLines("/proc/self/mountinfo"));

        found.Controllers.ShouldBe(ControlGroups.Own.Controllers);
        dead.Where(Directory.Exists).ShouldBeEmpty();
        await left.WaitForExitAsync(TestContext.Current.CancellationToken).WaitAsync(Eventually.Limit);
        own.Doors.ShouldAllBe(door => File.Exists(door));
    }

    private static Task<Stream?> Refuse(string device, CancellationToken cancel) =>
        Task.FromException<Stream?>(new DialRefusedException(DeviceCode.ConnectRefused, "refused"));

    private static SandboxDevice Device() => new(
        "dev_1", "frr", 22, "netops", "secret", null, null,
        "SHA256:" + Convert.ToBase64String(
            System.Security.Cryptography.SHA256.HashData(Convert.FromBase64String(HostKey.Split(' ')[1]))).TrimEnd('='),
        HostKey);

    /// <summary>The control groups of a sandbox, from the processes of its shell.</summary>
    private static List<string> Groups(string id) =>
    [
        .. from process in Directory.GetDirectories("/proc")
           where int.TryParse(Path.GetFileName(process), out _) && Read(process, "cmdline").Contains(id, StringComparison.Ordinal)
           from line in Read(process, "cgroup").Split('\n')
           where line.Contains("/sandbox-", StringComparison.Ordinal)
           from mount in (string[])["/sys/fs/cgroup", .. Directory.GetDirectories("/sys/fs/cgroup")]
           let directory = mount + line.Split(':', 3)[2]
           where Directory.Exists(directory)
           select directory,
    ];

    private static string Read(string process, string file)
    {
        try
        {
            return File.ReadAllText(Path.Combine(process, file));
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }

    private string Block(string program)
    {
        var directory = fixture.Block(Playbook);
        SandboxFixture.Write(Path.Combine(directory, "platforms"), "program.py", program);
        return directory;
    }

    private SandboxJob Job(string id, string block, string what) => new(
        id, block, fixture.Platforms, false, JsonSerializer.SerializeToElement(new { what }), [Device()], TimeSpan.FromMinutes(3),
        TimeSpan.FromMinutes(3));

    private SandboxRun Start(string id, string block, string what, Dial dial) => fixture.Launcher.Start(Job(id, block, what), dial);

    private BubblewrapLauncher Launcher(string bubblewrap, string workDirectory)
    {
        var options = new ExecutionOptions
        {
            AnsibleDirectory = fixture.Options.AnsibleDirectory,
            WorkDirectory = workDirectory,
            Bubblewrap = bubblewrap,
            SandboxUid = fixture.Options.SandboxUid,
        };
        return SandboxFixture.Launch(options, fixture.UsersOf(options));
    }

    private async Task SkipUnlessPossible()
    {
        var faults = await SandboxProbe.Check(fixture.Options, fixture.Users);
        Assert.SkipWhen(faults.Count > 0, string.Join(' ', faults));
    }
}
