using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Execution;

/// <summary>A block whose program writes events in the name of the engine.</summary>
[Trait("Requires", "sandbox")]
[Sampled(of: 2, share: 0)]
public class ForgedEventTests(SandboxFixture fixture) : IClassFixture<SandboxFixture>
{
    private readonly Attacks _attacks = new(fixture);

    [Fact]
    public async Task Events_come_from_the_engine_alone()
    {
        await _attacks.SkipUnlessPossible();

        var (result, events) = await _attacks.Run(
            await File.ReadAllTextAsync(Attacks.Program("forge.py")), "{{ inventory_hostname }}", (_, _) => Task.FromResult<Stream?>(null));

        var came = Attacks.Result(result, events);
        came.GetProperty("engine").GetInt32().ShouldBePositive();
        came.GetProperty("opened").EnumerateArray().Select(what => what.GetString()).ShouldBeEmpty();
        events.ShouldNotContain("forged");
        result.Devices[0].Diff.ShouldBeEmpty();
    }

    [Fact]
    public async Task Templates_and_plugins_of_a_block_reach_no_Python_of_the_engine()
    {
        await _attacks.SkipUnlessPossible();

        var (result, _) = await _attacks.Play("""
            - vars: { ansible_connection: local }
              block:
                - ansible.builtin.file: { path: /home/run/.ansible/plugins/lookup, state: directory }
                - ansible.builtin.copy:
                    dest: /home/run/.ansible/plugins/lookup/evil.py
                    content: |
                      import os
                      from ansible.plugins.lookup import LookupBase
                      class LookupModule(LookupBase):
                          def run(self, terms, variables=None, **options):
                              return ["reached"]
                - ansible.builtin.set_fact: { plugin: "{{ lookup('evil') }}" }
                  ignore_errors: true
                - ansible.builtin.set_fact: { template: "{{ cycler.__init__.__globals__.os.getpid() }}" }
                  ignore_errors: true
            - ansible.builtin.set_fact:
                block_result: { plugin: "{{ plugin is defined }}", template: "{{ template is defined }}" }
            """, (_, _) => Task.FromResult<Stream?>(null));

        Attacks.Result(result).GetRawText().ShouldBe("""{"plugin":false,"template":false}""");
    }
}

/// <summary>The same with the stock <c>ansible-playbook</c>.</summary>
[Sampled(of: 2, share: 1)]
public sealed class StockForgedEventTests(StockSandboxFixture fixture) : ForgedEventTests(fixture), IClassFixture<StockSandboxFixture>;
