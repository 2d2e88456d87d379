using NetAutomation.Execution.Sandbox;

namespace NetAutomation.Tests.Execution;

public sealed class FailureTextTests
{
    [Theory]
    [InlineData("[Errno None] Unable to connect to port 2222 on 127.1.0.1", DeviceCode.ConnectTimeout)]
    [InlineData("Error reading SSH protocol banner", DeviceCode.ConnectTimeout)]
    [InlineData("Failed to authenticate: Authentication failed.", DeviceCode.AuthFailed)]
    [InlineData("host key mismatch for [127.1.0.1]:2222", DeviceCode.HostKeyMismatch)]
    [InlineData("command timeout triggered, timeout value is 30 secs.\nSee the timeout setting options", DeviceCode.IdleTimeout)]
    [InlineData("Socket is closed", DeviceCode.ConnectionClosed)]
    [InlineData("Internal error", DeviceCode.InternalError)]
    [InlineData("ip bogus\n% Unknown command: ip bogus\nr001(config)# ", DeviceCode.TaskFailed)]
    public void A_failure_is_classified_by_its_text(string text, string code) => FailureText.Classify(text).ShouldBe(code);
}
