using System.Text.Json;
using NetAutomation.Execution.Sandbox;

namespace NetAutomation.Tests.Execution;

/// <summary>Blocks that attack from inside a real sandbox. Their programs are in <c>tests/sandbox</c>.</summary>
internal sealed class Attacks(SandboxFixture fixture)
{
    private const string HostKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    private const string Fingerprint = "SHA256:kmYcvdi2GkPeWxB6XLjrZB8JHsy2Hm8luHMFp9GMvqk";

    public static string Program(string name) => Path.Combine(SandboxFixture.RepositoryRoot, "tests/sandbox", name);

    public static JsonElement Result(SandboxResult result, string said = "")
    {
        result.Devices[0].Result.ShouldNotBeNull($"{result.Fault} {result.Devices[0].Message} {said}");
        return result.Devices[0].Result!.Value;
    }

    /// <summary>Runs a program as a block's own; what it prints is the device's result. Also what the events say.</summary>
    public Task<(SandboxResult Result, string Events)> Run(string program, string argument, Dial dial) =>
        Play(
            $$$"""
            - ansible.builtin.command:
                argv: [/usr/bin/python3, "{{ block_part | dirname }}/attack.py", "{{{argument}}}"]
              vars: { ansible_connection: local }
              register: tried
            - ansible.builtin.set_fact: { block_result: "{{ tried.stdout | from_json }}" }
            """, dial, program);

    /// <summary>Runs these tasks, with a program beside them.</summary>
    public async Task<(SandboxResult Result, string Events)> Play(string tasks, Dial dial, string program = "")
    {
        var block = fixture.Block(tasks);
        SandboxFixture.Write(Path.Combine(block, "platforms"), "attack.py", program);
        var device = new SandboxDevice("dev_1", "frr", 22, "netops", "secret", null, null, Fingerprint, HostKey);
        var (result, events) = await SandboxFixture.Finish(fixture.Launcher.Start(
            new SandboxJob(
                "run_" + Guid.NewGuid().ToString("N")[..12], block, fixture.Platforms, false, SandboxFixture.Json("{}"), [device],
                TimeSpan.FromMinutes(3), TimeSpan.FromSeconds(60)),
            dial));
        return (result, JsonSerializer.Serialize(events));
    }

    public async Task SkipUnlessPossible()
    {
        var faults = await SandboxProbe.Check(fixture.Options, fixture.Users);
        Assert.SkipWhen(faults.Count > 0, string.Join(' ', faults));
    }
}
