using System.Text.Json;
using NetAutomation.Execution.Sandbox;

namespace NetAutomation.Tests.Execution;

public sealed class UnsafeInputTests
{
    [Fact]
    public void Every_string_is_marked_and_nothing_else_changes() =>
        Written("""{"a":["x",1,true,null,{"b":"{{ y }}"}]}""")
            .ShouldBe("""{"a":[{"__ansible_unsafe":"x"},1,true,null,{"b":{"__ansible_unsafe":"{{ y }}"}}]}""");

    [Theory]
    [InlineData("ansible_connection")]
    [InlineData("Ansible_Host")]
    [InlineData("__ansible_unsafe")]
    [InlineData("__ansible_vault")]
    [InlineData("{{ x }}")]
    public void Name_that_ansible_would_understand_is_refused(string name)
    {
        var json = JsonSerializer.Serialize(new Dictionary<string, object> { ["outer"] = new Dictionary<string, string> { [name] = "x" } });

        Should.Throw<ArgumentException>(() => Written(json));
    }

    private static string Written(string json) => UnsafeInput.Mark(SandboxFixture.Json(json))!
        .ToJsonString(new JsonSerializerOptions { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
}
