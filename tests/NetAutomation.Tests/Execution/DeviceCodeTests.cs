using NetAutomation.Execution.Sandbox;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Execution;

public sealed class DeviceCodeTests
{
    [Fact]
    public void Every_code_of_a_device_is_explained()
    {
        var text = File.ReadAllText(Path.Combine(PostgresServer.RepositoryRoot(), "docs", "runs.md"));
        typeof(DeviceCode).GetFields().Select(field => $"`{field.GetRawConstantValue()}`")
            .Where(code => !text.Contains(code, StringComparison.Ordinal)).ShouldBeEmpty();
    }
}
