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
    public void A_failure_is_classified_by_its_text(string text, string code) => FailureText.Read(text, null).Code.ShouldBe(code);

    [Fact]
    public void A_code_that_came_with_the_text_stands_before_the_words_of_the_text() =>
        FailureText.Read("Internal error: Socket is closed", DeviceCode.Pager)
            .ShouldBe((DeviceCode.Pager, "Internal error: Socket is closed"));

    [Fact]
    public void A_code_that_nobody_knows_is_passed_over() =>
        FailureText.Read("Socket is closed", "made_up").ShouldBe((DeviceCode.ConnectionClosed, "The device closed the connection."));
}
