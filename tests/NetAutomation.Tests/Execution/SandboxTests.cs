using System.Text.Json;
using NetAutomation.Execution;
using NetAutomation.Execution.Sandbox;
using NetAutomation.Runs;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Execution;

/// <summary>Real sandboxes with real Ansible, but with blocks that work inside the sandbox instead of on a device.</summary>
[Trait("Requires", "sandbox")]
[Sampled(of: 2, share: 0)]
public class SandboxTests(SandboxFixture fixture) : IClassFixture<SandboxFixture>
{
    private const string Canary = "canary-7f3a9c-secret";

    // No device has this key; the sandbox needs one although it makes no connection.
    private const string HostKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

    private const string EscapePlaybook = """
        - vars: { ansible_connection: local }
          block:
            - ansible.builtin.command:
                argv:
                  - /usr/bin/python3
                  - "{{ block_part | dirname }}/escape.py"
                  - "{{ block_input.hostPath }}"
                  - "{{ block_input.hostPid }}"
              register: tried
            - ansible.builtin.set_fact:
                block_result: "{{ tried.stdout | from_json }}"
        """;

    private const string Escape = """
        import ctypes, json, os, socket, sys
        libc = ctypes.CDLL(None, use_errno=True)
        tried = {}
        def attempt(name, action):
            try:
                tried[name] = "allowed" if action() in (None, True) else "denied"
            except (OSError, PermissionError) as fault:
                tried[name] = "denied"
        def connect(host, port):
            s = socket.socket(); s.settimeout(3); s.connect((host, port))
            return s.recv(1) != b""
        attempt("control", lambda: open("/tmp/mine", "w").close())
        attempt("shadow", lambda: open("/etc/shadow").close())
        attempt("host path", lambda: os.listdir(sys.argv[1]) and None)
        attempt("root home", lambda: os.listdir("/root") and None)
        attempt("write usr", lambda: open("/usr/mine", "w").close())
        attempt("write root", lambda: open("/mine", "w").close())
        attempt("write block", lambda: open(os.path.dirname(os.path.abspath(__file__)) + "/mine", "w").close())
        attempt("write plugins", lambda: open("/opt/ansible/callback/mine.py", "w").close())
        attempt("replace link", lambda: os.unlink("/run/link/sock"))
        attempt("metadata", lambda: connect("169.254.169.254", 80))
        attempt("task metadata", lambda: connect("169.254.170.2", 80))
        attempt("real device", lambda: connect("10.66.0.2", 22))
        attempt("unlisted device", lambda: connect("127.1.0.77", 2222))
        attempt("host pid", lambda: os.kill(int(sys.argv[2]), 0))
        for name, family in (("packet socket", 17), ("netlink socket", 16), ("vsock", 40)):
            attempt(name, lambda: socket.socket(family, socket.SOCK_RAW).close())
        attempt("raw socket", lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1).close())
        attempt("unshare user", lambda: libc.unshare(0x10000000) == 0)
        attempt("unshare net", lambda: libc.unshare(0x40000000) == 0)
        attempt("mount", lambda: libc.mount(b"none", b"/tmp", b"tmpfs", 0, None) == 0)
        attempt("ptrace", lambda: libc.ptrace(0, 0, 0, 0) == 0)
        status = dict(line.split(":", 1) for line in open("/proc/self/status").read().splitlines())
        tried["capabilities"] = status["CapEff"].strip() + status["CapBnd"].strip()
        tried["no new privileges"] = status["NoNewPrivs"].strip()
        tried["seccomp"] = status["Seccomp"].strip()
        tried["uid"] = os.getuid()
        tried["foreign processes"] = [p for p in os.listdir("/proc") if p.isdigit() and not any(
            own in open(f"/proc/{p}/cmdline", "rb").read() for own in (b"init.py", b"ansible", b"escape.py", b"bwrap"))]
        print(json.dumps(tried))
        """;

    [Fact]
    public async Task Block_that_tries_to_get_out_is_denied_everything()
    {
        await SkipUnlessPossible();
        var block = fixture.Block(EscapePlaybook);
        SandboxFixture.Write(Path.Combine(block, "platforms"), "escape.py", Escape);
        var input =
            JsonSerializer.SerializeToElement(new { hostPath = fixture.Options.WorkDirectory, hostPid = Environment.ProcessId.ToString() });

        var (result, events) = await SandboxFixture.Finish(Start(block, input));

        result.Fault.ShouldBeNull();
        result.Devices[0].Result.ShouldNotBeNull(string.Join('\n', events));
        var tried = result.Devices[0].Result!.Value.EnumerateObject()
            .ToDictionary(member => member.Name, member => member.Value.ToString());
        tried["control"].ShouldBe("allowed");
        tried["capabilities"].ShouldBe(new string('0', 32));
        tried["no new privileges"].ShouldBe("1");
        tried["seccomp"].ShouldBe("2");
        tried["uid"].ShouldBe("1000");
        tried["foreign processes"].ShouldBe("[]");
        tried.Where(pair => pair.Value == "allowed").Select(pair => pair.Key).ShouldBe(["control"]);
        tried.Values.Count(value => value == "denied").ShouldBe(21);
    }

    [Fact]
    public async Task Secret_is_in_no_argument_and_no_environment_and_a_stop_leaves_nothing()
    {
        await SkipUnlessPossible();
        var run = Start(fixture.Block(Sleeping(60)), SandboxFixture.Json("{}"));
        await foreach (var runEvent in run.Events)
        {
            if (runEvent.Type == "device_started")
            {
                break;
            }
        }

        var program = fixture.Options.Warm ? "sandbox/init.py" : "ansible-playbook";
        var sandbox = Descendants().ToList();
        var seesAnsible = sandbox.Any(pid => Holds(pid, "cmdline", program));
        var exposed = sandbox.Where(pid => Holds(pid, "cmdline", Canary) || Holds(pid, "environ", Canary)).ToList();
        var stop = run.Stop(TimeSpan.Zero);
        var rest = await Drain(run);
        await stop;
        var result = await run.Completion;

        seesAnsible.ShouldBeTrue();
        sandbox.Where(pid => Holds(pid, "cmdline", program)).ShouldBeEmpty();
        exposed.ShouldBeEmpty();
        result.Gone.ShouldBeTrue();
        result.Fault.ShouldBeNull();
        (result.Devices[0].Outcome, result.Devices[0].Changed).ShouldBe((DeviceOutcome.Unknown, null));
        rest[^1].Type.ShouldBe("device_outcome");
        Directory.GetDirectories(fixture.Options.WorkDirectory).ShouldNotContain(path => path.EndsWith(_id, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(3, 60, DeviceCode.HardTimeout)]
    [InlineData(60, 3, DeviceCode.IdleTimeout)]
    public async Task Device_that_outlasts_its_time_is_unknown_with_the_reason(int hard, int idle, string code)
    {
        await SkipUnlessPossible();

        var (result, _) =
            await SandboxFixture.Finish(
                Start(fixture.Block(Sleeping(60)), SandboxFixture.Json("{}"), TimeSpan.FromSeconds(hard), TimeSpan.FromSeconds(idle)));

        result.Gone.ShouldBeTrue();
        result.Devices[0].Code.ShouldBe(code);
        result.Devices[0].Outcome.ShouldBeOneOf(DeviceOutcome.Unknown, DeviceOutcome.NotStarted);
    }

    [Fact]
    public async Task A_stop_with_grace_ends_the_task_under_way_and_starts_no_other()
    {
        await SkipUnlessPossible();
        var run = Start(fixture.Block(Sleeping(2) + """
                - name: never
                  ansible.builtin.command: "true"
            """), SandboxFixture.Json("{}"));
        Task? stop = null;
        var events = new List<SandboxEvent>();
        await foreach (var runEvent in run.Events)
        {
            events.Add(runEvent);
            stop ??= runEvent.Type == "device_started" ? run.Stop(TimeSpan.FromSeconds(60)) : null;
        }

        var result = await run.Completion;

        await stop.ShouldNotBeNull();
        events.Count(runEvent => runEvent.Type == "task").ShouldBe(1);
        result.Devices[0].Outcome.ShouldBe(DeviceOutcome.NotStarted, result.Fault);
        result.Gone.ShouldBeTrue();
    }

    [Fact]
    public async Task A_run_whose_reader_went_away_still_ends()
    {
        await SkipUnlessPossible();
        // Two events for each task: more than the buffer between the run and its reader can hold.
        var playbook = Sleeping(0) + string.Concat(Enumerable.Repeat("    - ansible.builtin.debug: { msg: x }\n", 140));
        var run = Start(fixture.Block(playbook), SandboxFixture.Json("{}"), hard: TimeSpan.FromSeconds(25));

        var result = await run.Completion.WaitAsync(Eventually.Limit);

        result.Gone.ShouldBeTrue();
        result.Devices[0].Code.ShouldBe(DeviceCode.HardTimeout);
    }

    [Fact]
    public async Task Output_of_a_failing_task_is_scrubbed_and_the_device_fails()
    {
        await SkipUnlessPossible();
        var block = fixture.Block($$"""
            - vars: { ansible_connection: local }
              block:
                - ansible.builtin.fail: { msg: "the device said \e[31m{{Canary}}\e[0m \r\n\r\ndata: x" }
            """);

        var (result, events) = await SandboxFixture.Finish(Start(block, SandboxFixture.Json("{}")));

        (result.Devices[0].Outcome, result.Devices[0].Code).ShouldBe((DeviceOutcome.Failed, DeviceCode.TaskFailed));
        result.Devices[0].Message.ShouldBe("the device said ******** \n\ndata: x");
        JsonSerializer.Serialize(events).ShouldNotContain(Canary);
        events.ShouldContain(runEvent => runEvent.Type == "output");
    }

    [Fact]
    public async Task What_a_block_hands_over_arrives_byte_for_byte_or_the_device_fails()
    {
        await SkipUnlessPossible();
        var block = fixture.Block("""
            - ansible.builtin.set_fact: { block_result: "{{ 'x' * 270000 }}" }
              when: inventory_hostname == 'large-result'
            - ansible.builtin.set_fact: { block_artifacts: { a: "{{ 'x' * 9000000 }}" }, block_result: done }
              when: inventory_hostname == 'large-artifact'
            - ansible.builtin.set_fact: { block_artifacts: "{{ dict(names | zip(names)) }}", block_result: done }
              vars: { names: "{{ range(17) | map('string') | list }}" }
              when: inventory_hostname == 'many-artifacts'
            - ansible.builtin.set_fact: { block_result: done }
              no_log: true
              when: inventory_hostname == 'hidden'
            - ansible.builtin.set_fact:
                block_artifacts: { a: "{{ 'WvxyaWNoAA==' | b64decode }}" }
                block_result: { said: "{{ 'WvxyaWNo' | b64decode }}" }
              when: inventory_hostname == 'octets'
            - ansible.builtin.fail: { msg: "{{ 'WvxyaWNo' | b64decode }}" }
              when: inventory_hostname == 'failing'
            """);
        SandboxDevice[] devices =
        [
            .. new[] { "large-result", "large-artifact", "many-artifacts", "hidden", "octets", "failing", "silent" }.Select(
                name => new SandboxDevice(name, "frr", 22, "netops", Canary, null, null, Fingerprint(HostKey), HostKey)),
        ];

        var (result, _) = await SandboxFixture.Finish(fixture.Launcher.Start(
            new SandboxJob(
                _id, block, fixture.Platforms, false, SandboxFixture.Json("{}"), devices, TimeSpan.FromMinutes(2), TimeSpan.FromMinutes(1)),
            (_, _) => Task.FromResult<Stream?>(null)));

        var by = result.Devices.ToDictionary(device => device.Name);
        by["octets"].Outcome.ShouldBe(DeviceOutcome.Ok, by["octets"].Message);
        by["octets"].Artifacts.Single().Content.ShouldBe([(byte)'Z', 0xFC, .. "rich\0"u8]);
        by["octets"].Result!.Value.GetProperty("said").GetString().ShouldBe("Z\uEFFCrich");
        (by["failing"].Code, by["failing"].Message).ShouldBe((DeviceCode.TaskFailed, "Z\uEFFCrich"));
        foreach (var name in new[] { "large-result", "large-artifact", "many-artifacts", "hidden", "silent" })
        {
            (by[name].Outcome, by[name].Code).ShouldBe((DeviceOutcome.Failed, DeviceCode.InternalError), name);
            by[name].Message.ShouldNotBeNullOrEmpty(name);
            by[name].Artifacts.ShouldBeEmpty(name);
            by[name].Result.ShouldBeNull(name);
        }
    }

    [Fact]
    public async Task Tasks_run_beside_what_the_platform_lacks()
    {
        await SkipUnlessPossible();
        var block = fixture.Block("""
            lacks: [{ at: /x, because: it has none }]
            tasks:
            - ansible.builtin.set_fact: { block_result: "{{ block_input.y }}" }
            """);
        SandboxDevice[] devices = [new("one", "frr", 22, "netops", Canary, null, null, Fingerprint(HostKey), HostKey)];

        var (result, _) = await SandboxFixture.Finish(fixture.Launcher.Start(
            new SandboxJob(
                _id, block, fixture.Platforms, false, SandboxFixture.Json("""{"y":"z"}"""), devices, TimeSpan.FromMinutes(2),
                TimeSpan.FromMinutes(1)),
            (_, _) => Task.FromResult<Stream?>(null)));

        result.Devices[0].Outcome.ShouldBe(DeviceOutcome.Ok, result.Devices[0].Message);
        result.Devices[0].Result!.Value.GetString().ShouldBe("z");
    }

    [Fact]
    public async Task Artifacts_of_many_devices_pass_one_after_the_other_and_a_device_with_more_than_there_is_room_for_fails()
    {
        await SkipUnlessPossible();
        Assert.SkipUnless(fixture.Options.Warm, "The stock engine copies each text, so 72 MB are more than its memory.");
        var block = fixture.Block("""
            - ansible.builtin.set_fact: { block_artifacts: "{{ dict(names | zip([text] * 9)) }}", block_result: done }
              vars: { names: "{{ range(9) | map('string') | list }}", text: "{{ 'x' * 8000000 }}" }
              when: inventory_hostname == 'heap'
            - ansible.builtin.set_fact: { block_artifacts: { a: "{{ 'y' * 8000000 }}" }, block_result: done }
              when: inventory_hostname != 'heap'
            """);
        string[] names = ["heap", .. Enumerable.Range(0, 10).Select(number => $"dev_{number}")];

        var (result, _) = await SandboxFixture.Finish(fixture.Launcher.Start(
            new SandboxJob(
                _id, block, fixture.Platforms, false, SandboxFixture.Json("{}"),
                [.. names.Select(name => new SandboxDevice(name, "frr", 22, "netops", Canary, null, null, Fingerprint(HostKey), HostKey))],
                TimeSpan.FromMinutes(3), TimeSpan.FromMinutes(1)),
            (_, _) => Task.FromResult<Stream?>(null)));

        var heap = result.Devices.Single(device => device.Name == "heap");
        (heap.Outcome, heap.Code, heap.Artifacts.Count).ShouldBe((DeviceOutcome.Failed, DeviceCode.InternalError, 0));
        heap.Message.ShouldNotBeNull().ShouldContain("64 MiB");
        result.Devices.Where(device => device.Name != "heap")
            .ShouldAllBe(device => device.Outcome == DeviceOutcome.Ok && device.Artifacts.Single().Content.Length == 8_000_000);
    }

    [Fact]
    public async Task A_code_from_inside_reaches_the_device_and_is_no_part_of_the_text()
    {
        await SkipUnlessPossible();
        var block = fixture.Block("- ansible.builtin.fail: { msg: '[netautomation:pager] The device waits.' }\n");

        var (result, events) = await SandboxFixture.Finish(Start(block, SandboxFixture.Json("{}")));

        (result.Devices[0].Code, result.Devices[0].Message).ShouldBe((DeviceCode.Pager, "The device waits."));
        JsonSerializer.Serialize(events).ShouldNotContain("[netautomation:");
    }

    [Fact]
    public async Task Device_that_nobody_inside_has_dialled_is_not_called_unreachable()
    {
        await SkipUnlessPossible();
        var block = fixture.Block("- ansible.builtin.fail: { msg: '[netautomation:connect_timeout] Too slow.' }\n");

        var (result, _) = await SandboxFixture.Finish(Start(block, SandboxFixture.Json("{}")));

        (result.Devices[0].Outcome, result.Devices[0].Code, result.Devices[0].Changed)
            .ShouldBe((DeviceOutcome.Failed, DeviceCode.SandboxFailed, false));
    }

    [Fact]
    public async Task Block_whose_part_cannot_be_read_fails_the_device_and_contacts_nobody()
    {
        await SkipUnlessPossible();

        var (result, _) = await SandboxFixture.Finish(Start(fixture.Block("wanted: [\n"), SandboxFixture.Json("{}")));

        (result.Devices[0].Outcome, result.Devices[0].Code, result.Devices[0].Contacted)
            .ShouldBe((DeviceOutcome.Failed, DeviceCode.InternalError, false));
        result.Devices[0].Message.ShouldNotBeNull().ShouldContain("cannot be played");
    }

    [Fact]
    public async Task Device_of_a_platform_that_the_worker_does_not_know_fails_by_itself()
    {
        await SkipUnlessPossible();
        SandboxDevice[] devices = [.. new[] { "frr", "frr", "none", "newer" }.Select((platform, i) =>
            new SandboxDevice($"dev_{i}", platform, 22, "netops", Canary, null, null, Fingerprint(HostKey), HostKey))];
        SandboxFixture.Write(Path.Combine(fixture.Content, "newer"), "platform.yaml", "name: newer\nconnection: carrier_pigeon\n");
        var block = fixture.Block("- ansible.builtin.set_fact: { block_result: done }\n");

        var (result, _) = await SandboxFixture.Finish(fixture.Launcher.Start(
            new SandboxJob(
                _id, block, fixture.Platforms, false, SandboxFixture.Json("{}"), devices, TimeSpan.FromMinutes(2), TimeSpan.FromMinutes(1)),
            (_, _) => Task.FromResult<Stream?>(null)));

        result.Fault.ShouldBeNull();
        result.Devices.Select(device => (device.Outcome, device.Code)).ShouldBe(
            [(DeviceOutcome.Ok, null), (DeviceOutcome.Ok, null), (DeviceOutcome.Failed, DeviceCode.UnknownPlatform),
                (DeviceOutcome.Failed, DeviceCode.UnknownPlatform)]);
        result.Devices.ShouldAllBe(device => !device.Contacted);
    }

    [Fact]
    public async Task Devices_whose_streams_are_refused_say_why_and_make_nobody_wait()
    {
        await SkipUnlessPossible();
        var devices = Enumerable.Range(1, 6)
            .Select(i => new SandboxDevice($"dev_{i}", "frr", 22, "netops", Canary, null, null, Fingerprint(HostKey), HostKey)).ToList();
        var job = new SandboxJob(
            _id, Path.Combine(fixture.Content, "config-backup"), fixture.Platforms, false, SandboxFixture.Json("{}"), devices,
            TimeSpan.FromMinutes(2), TimeSpan.FromMinutes(1));

        var (result, _) =
            await SandboxFixture.Finish(
                fixture.Launcher.Start(
                    job, (_, _) => throw new DialRefusedException(DeviceCode.StaleFence, "The run does not hold this device.")));

        // A hanging task would end by Ansible's own limit and have another code.
        result.Devices.ShouldAllBe(
            device => device.Outcome == DeviceOutcome.Unreachable && device.Code == DeviceCode.StaleFence && device.Changed == false
                && !device.Contacted);
    }

    [Fact]
    public async Task Host_without_namespaces_is_refused_with_the_setting_to_change()
    {
        var refusing = Path.Combine(fixture.Options.AnsibleDirectory, "refusing-bwrap");
        await File.WriteAllTextAsync(refusing, "#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n");
        File.SetUnixFileMode(refusing, (UnixFileMode)0b111_101_101);

        var options = new ExecutionOptions
        {
            AnsibleDirectory = fixture.Options.AnsibleDirectory,
            WorkDirectory = fixture.Options.WorkDirectory,
            SandboxUid = fixture.Options.SandboxUid,
            Bubblewrap = refusing,
        };
        var faults = await SandboxProbe.Check(options, fixture.UsersOf(options));

        Assert.SkipWhen(faults.Any(fault => fault.Contains("is missing", StringComparison.Ordinal)), "programs are missing");
        faults.ShouldHaveSingleItem().ShouldContain("kernel.unprivileged_userns_clone");
    }

    private readonly string _id = "run_" + Guid.NewGuid().ToString("N")[..12];

    private static string Sleeping(int seconds) => $$"""
        - vars: { ansible_connection: local }
          block:
            - name: sleep
              ansible.builtin.command: sleep {{seconds}}
              changed_when: false

        """;

    private SandboxRun Start(string block, JsonElement input, TimeSpan? hard = null, TimeSpan? idle = null)
    {
        var device = new SandboxDevice("dev_1", "frr", 22, "netops", Canary, null, Canary + "-enable", Fingerprint(HostKey), HostKey);
        return fixture.Launcher.Start(
            new SandboxJob(
                _id, block, fixture.Platforms, false, input, [device], hard ?? TimeSpan.FromMinutes(2), idle ?? TimeSpan.FromMinutes(1)),
            (_, _) => Task.FromResult<Stream?>(null));
    }

    private static string Fingerprint(string key) =>
        "SHA256:" + Convert.ToBase64String(System.Security.Cryptography.SHA256.HashData(Convert.FromBase64String(key.Split(' ')[1])))
            .TrimEnd('=');

    private async Task SkipUnlessPossible()
    {
        var faults = await SandboxProbe.Check(fixture.Options, fixture.Users);
        Assert.SkipWhen(faults.Count > 0, string.Join(' ', faults));
    }

    private static async Task<List<SandboxEvent>> Drain(SandboxRun run)
    {
        var rest = new List<SandboxEvent>();
        await foreach (var runEvent in run.Events)
        {
            rest.Add(runEvent);
        }

        return rest;
    }

    // The processes of this test alone: descendants of this process that know its run.
    private IEnumerable<int> Descendants() => Directory.GetDirectories("/proc")
        .Select(Path.GetFileName)
        .Where(name => int.TryParse(name, out _))
        .Select(name => int.Parse(name!))
        .Where(pid => Ancestors(pid).Any(ancestor => Holds(ancestor, "cmdline", _id)));

    private static IEnumerable<int> Ancestors(int pid)
    {
        for (var current = pid; current > 1;)
        {
            yield return current;
            try
            {
                current = int.Parse(File.ReadAllText($"/proc/{current}/stat").Split(')')[^1].Split(' ')[2]);
            }
            catch (IOException)
            {
                yield break;
            }
        }
    }

    private static bool Holds(int pid, string file, string text)
    {
        try
        {
            return File.ReadAllText($"/proc/{pid}/{file}").Contains(text, StringComparison.Ordinal);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }
}

/// <summary>The same with the stock <c>ansible-playbook</c>.</summary>
[Sampled(of: 2, share: 1)]
public sealed class StockSandboxTests(StockSandboxFixture fixture) : SandboxTests(fixture), IClassFixture<StockSandboxFixture>;
