using System.Text.Json;
using NetAutomation.Execution.Sandbox;

namespace NetAutomation.Tests.Execution;

/// <summary>Real Ansible gets input that looks like code. It tests the unsafe mark alone, since that is the second defence.</summary>
[Trait("Requires", "sandbox")]
public sealed class InjectionTests(SandboxFixture fixture) : IClassFixture<SandboxFixture>
{
    private const string HostKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

    // The ways a block may use a value.
    internal const string Playbook = """
        - vars:
            ansible_connection: local
            joined: "{{ block_input.texts | join(' ') }}"
            built: >-
              {%- set lines = [] -%}{%- for value in block_input.texts -%}
              {%- set _ = lines.append('line ' ~ value) -%}{%- endfor -%}{{ lines }}
          block:
            - ansible.builtin.debug: { msg: "{{ item }}" }
              loop: "{{ block_input.texts }}"
            - ansible.builtin.debug: { var: block_input }
            - ansible.builtin.set_fact: { kept: "{{ block_input.texts | map('trim') | list }}", one: "x {{ joined }} y" }
            - ansible.builtin.debug: { msg: "{{ kept }} {{ one }} {{ built }} {{ hostvars[inventory_hostname].kept }}" }
            - ansible.builtin.debug: { msg: "{{ hostvars[inventory_hostname].one | upper }} {{ ansible_user }}" }
            - ansible.builtin.copy: { content: "{{ one }}\n{{ built | join('\n') }}", dest: /tmp/copied, mode: "0600" }
            - ansible.builtin.debug: { msg: hit }
              when: block_input.texts | select('equalto', one) | list | length > 0 or one == block_input.texts[0]
            - ansible.builtin.assert: { that: one | length > 0, fail_msg: "{{ one }}", success_msg: "{{ joined }}" }
            - ansible.builtin.command: { argv: [test, -e, /tmp/marker] }
              register: marker
              failed_when: false
              changed_when: false
            - ansible.builtin.set_fact:
                block_result: { appeared: "{{ marker.rc == 0 }}", seen: "{{ block_input.texts }}" }
        """;

    private static readonly string[] _values =
    [
        .. from payload in new[] {
            "lookup('pipe', 'touch /tmp/marker')", "query('pipe','touch /tmp/marker')",
            "lookup(\"file\",\"/dev/null\") ~ lookup('pipe','touch /tmp/marker')",
               "''.__class__.__mro__[1].__subclasses__()", "cycler.__init__.__globals__.os.system('touch /tmp/marker')",
               "lipsum.__globals__.os.popen('touch /tmp/marker').read()" }
           from shape in new[] {
               "{{ P }}", "{{P}}", "{%- if P -%}x{%- endif -%}", "{% set x = P %}{{ x }}", "a {{ P }} b", "{#  #}{{ P }}",
               "{{ '{{' }} P }}", "\\{{ P }}", "{{ P }}\n{{ P }}" }
           select shape.Replace("P", payload),
        "$(touch /tmp/marker)", "`touch /tmp/marker`", "; touch /tmp/marker", "| touch /tmp/marker", "\n- hosts: all", "!unsafe '{{ x }}'",
        "!vault |", "{\"__ansible_unsafe\": \"x\"}",
        "#jinja2: variable_start_string:'[%', variable_end_string:'%]'\n[% lookup('pipe','touch /tmp/marker') %]", "AnsibleUnsafeText",
        "%s%n{0}", "\u2028{{\u2028}}", "{{ undefined_name }}", "{{ block_input }}", "",
    ];

    [Fact]
    public async Task Hostile_values_stay_text_everywhere_a_block_may_use_them()
    {
        await SkipUnlessPossible();
        var input = JsonSerializer.SerializeToElement(new { texts = _values });

        var result = await Run(fixture.Block(Playbook), input, "{{ lookup('pipe','touch /tmp/marker') }}");

        result.Fault.ShouldBeNull();
        var handed = result.Devices[0].Result.ShouldNotBeNull(result.Devices[0].Message);
        handed.GetProperty("appeared").GetRawText().ShouldBe("false");
        // The line separator is the only character that the output drops.
        handed.GetProperty("seen").EnumerateArray().Select(value => value.GetString())
            .ShouldBe(_values.Select(value => value.Replace("\u2028", "")));
    }

    [Fact]
    public async Task Text_that_looks_like_another_type_stays_text()
    {
        await SkipUnlessPossible();
        var block = fixture.Block(
            """
                - vars: { ansible_connection: local }
                  ansible.builtin.set_fact:
                    block_result:
                      list: "{{ block_input.list }}"
                      truth: "{{ block_input.truth }}"
                      mapping: "{{ block_input.mapping }}"
                      part: "{ {{ block_input.part }} }"
            """);
        // A set of sets is none, and Ansible's own reading of it fails.
        var input = new { list = "[1, 2]", truth = "True", mapping = "{\"a\": null}", part = "{1}, 2" };

        var result = await Run(block, JsonSerializer.SerializeToElement(input), "x");

        result.Devices[0].Result.ShouldNotBeNull(result.Devices[0].Message).GetRawText().ShouldBe(
            JsonSerializer.Serialize(new { input.list, input.truth, input.mapping, part = "{ {1}, 2 }" }));
    }

    [Fact]
    public async Task The_marker_does_appear_when_a_playbook_itself_runs_the_payload()
    {
        await SkipUnlessPossible();
        var block =
            fixture.Block(
                Playbook.Replace(
                    "- ansible.builtin.debug: { var: block_input }",
                    "- ansible.builtin.debug: { msg: \"{{ lookup('pipe', 'touch /tmp/marker') }}\" }"));

        var result = await Run(block, SandboxFixture.Json("""{"texts":["x"]}"""), "x");

        result.Devices[0].Result.ShouldNotBeNull(result.Devices[0].Message).GetProperty("appeared").GetRawText().ShouldBe("true");
    }

    private async Task<SandboxResult> Run(string block, JsonElement input, string credential)
    {
        var pin = "SHA256:"
            + Convert.ToBase64String(System.Security.Cryptography.SHA256.HashData(Convert.FromBase64String(HostKey.Split(' ')[1])))
                .TrimEnd('=');
        // The customer also chooses the username. The password is another text; otherwise masking would hide the returned username.
        var device =
            new SandboxDevice("dev_1", "frr", 22, credential, "{{ lookup('pipe','touch /tmp/marker') }} pw", null, null, pin, HostKey);
        var job =
            new SandboxJob(
                "run_" + Guid.NewGuid().ToString("N")[..12], block, fixture.Platforms, false, input, [device], TimeSpan.FromMinutes(4),
                TimeSpan.FromMinutes(2));
        return (await SandboxFixture.Finish(fixture.Launcher.Start(job, (_, _) => Task.FromResult<Stream?>(null)))).Result;
    }

    private async Task SkipUnlessPossible()
    {
        var faults = await SandboxProbe.Check(fixture.Options, fixture.Users);
        Assert.SkipWhen(faults.Count > 0, string.Join(' ', faults));
    }
}
