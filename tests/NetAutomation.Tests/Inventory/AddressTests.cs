using NetAutomation.Inventory.Rules;

namespace NetAutomation.Tests.Inventory;

public sealed class AddressTests
{
    [Theory]
    [InlineData("10.0.0.1", "10.0.0.1")]
    [InlineData("2001:DB8::1", "2001:db8::1")]
    [InlineData("2001:db8:0:0::1", "2001:db8::1")]
    [InlineData("::ffff:10.0.0.1", "10.0.0.1")]
    [InlineData("Router-1.Example.NET", "router-1.example.net")]
    [InlineData("r1", "r1")]
    public void Device_address_has_one_spelling(string text, string canonical) =>
        Addresses.Canonical(text, false).ShouldBe((canonical, null));

    [Theory]
    [InlineData("")]
    [InlineData(" 10.0.0.1")]
    [InlineData("127.0.0.1")]
    [InlineData("127.1")]
    [InlineData("::1")]
    [InlineData("::ffff:127.0.0.1")]
    [InlineData("::127.0.0.1")]
    [InlineData("localhost")]
    [InlineData("a.localhost")]
    [InlineData("0.0.0.0")]
    [InlineData("169.254.169.254")]
    [InlineData("::ffff:169.254.169.254")]
    [InlineData("64:ff9b::a9fe:a9fe")]
    [InlineData("fd00:ec2::254")]
    [InlineData("fe80::1")]
    [InlineData("fe80::1%eth0")]
    [InlineData("224.0.0.5")]
    [InlineData("255.255.255.255")]
    [InlineData("ff02::5")]
    [InlineData("2130706433")]
    [InlineData("0x7f000001")]
    [InlineData("0x7f.1")]
    [InlineData("0177.0.0.1")]
    [InlineData("10.0.0.01")]
    [InlineData("10.0.0")]
    [InlineData("[2001:db8::1]")]
    [InlineData("metadata.google.internal")]
    [InlineData("a..b")]
    [InlineData("-a")]
    [InlineData("a.b.")]
    [InlineData("a b")]
    [InlineData("a\nb")]
    [InlineData("r1.example:22")]
    [InlineData("user@host")]
    public void An_address_that_no_device_can_have_is_refused(string text)
    {
        var (address, reason) = Addresses.Canonical(text, false);
        address.ShouldBeNull();
        reason.ShouldNotBeNull();
    }

    [Fact]
    public void Loopback_is_a_choice_and_metadata_is_not()
    {
        Addresses.Canonical("127.0.0.2", true).Address.ShouldBe("127.0.0.2");
        Addresses.Canonical("169.254.169.254", true).Address.ShouldBeNull();
    }
}
