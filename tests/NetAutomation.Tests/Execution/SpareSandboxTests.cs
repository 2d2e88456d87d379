using NetAutomation.Execution.Sandbox;
using NetAutomation.Runs;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Execution;

/// <summary>Spare sandboxes, with a block that needs no device.</summary>
[Trait("Requires", "sandbox")]
public sealed class SpareSandboxTests(SandboxFixture fixture) : IClassFixture<SandboxFixture>
{
    private const string HostKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    private const string Fingerprint = "SHA256:kmYcvdi2GkPeWxB6XLjrZB8JHsy2Hm8luHMFp9GMvqk";

    [Fact]
    public async Task Jobs_take_sandboxes_that_have_only_just_been_begun()
    {
        var faults = await SandboxProbe.Check(fixture.Options, fixture.Users);
        Assert.SkipWhen(faults.Count > 0, string.Join(' ', faults));
        var block = fixture.Block("""
            - ansible.builtin.set_fact: { block_result: done }

            """);
        await using var launcher = SandboxFixture.Launch(fixture.Options, fixture.Users);
        launcher.KeepReady([.. fixture.Platforms.Values]);
        var (taken, runs) = (new HashSet<string>(), new List<Task<(SandboxResult Result, List<SandboxEvent> Events)>>());
        using var limit = new CancellationTokenSource(Eventually.Limit);
        while (taken.Count < 4)
        {
            limit.Token.ThrowIfCancellationRequested();
            var spare = SpareSandboxes().FirstOrDefault(each => File.Exists($"{each}/info.json") && !taken.Contains(each));
            if (spare is null)
            {
                await Task.Yield();
                continue;
            }

            taken.Add(spare);
            var device = new SandboxDevice("dev_1", "frr", 22, "netops", "secret", null, null, Fingerprint, HostKey);
            runs.Add(SandboxFixture.Finish(launcher.Start(
                new SandboxJob(
                    $"job-{taken.Count}", block, fixture.Platforms, false, SandboxFixture.Json("{}"), [device], TimeSpan.FromMinutes(2),
                    TimeSpan.FromMinutes(1)), (_, _) => Task.FromResult<Stream?>(null))));
        }

        foreach (var (result, _) in await Task.WhenAll(runs))
        {
            result.Fault.ShouldBeNull();
            result.Devices.Single().Outcome.ShouldBe(DeviceOutcome.Ok);
        }

        Directory.GetDirectories(fixture.Options.WorkDirectory, "job-*").ShouldBeEmpty();
    }

    private string[] SpareSandboxes() => Directory.Exists(fixture.Options.WorkDirectory)
        ? Directory.GetDirectories(fixture.Options.WorkDirectory, "spare-*") : [];
}
