using System.Buffers.Binary;
using System.Net;
using NetAutomation.AwsSimulator.Nlb;

namespace NetAutomation.Tests.AwsSimulator;

public sealed class ProxyHeaderTests
{
    // PrivateLink header published with AWS's elastic-load-balancing-tools.
    private static readonly byte[] _privateLinkVector = Convert.FromHexString(
        "0d0a0d0a000d0a515549540a21110054ac1f0771ac1f0a1fc8f20050030004e8d6892dea001701767063652d3038643262663135666163353030316339040024"
            + new string('0', 72));

    // Health check captured on a real load balancer, kubernetes/kubernetes#57250.
    private static readonly byte[] _healthCheckVector = Convert.FromHexString(
        "0d0a0d0a000d0a515549540a20110054030004bce5951f04004a" + new string('0', 148));

    [Fact]
    public void Header_of_an_endpoint_equals_the_published_vector() =>
        ProxyHeader.Proxy(IPEndPoint.Parse("172.31.7.113:51442"), IPEndPoint.Parse("172.31.10.31:80"), "vpce-08d2bf15fac5001c9")
            .ShouldBe(_privateLinkVector);

    [Fact]
    public void Header_of_a_health_check_equals_the_captured_one() => ProxyHeader.Local().ShouldBe(_healthCheckVector);

    [Theory]
    [InlineData("10.1.2.3:40000", "10.0.0.9:8443", null, 0x11)]
    [InlineData("[2001:db8::1]:40000", "[2001:db8::2]:8443", "vpce-08d2bf15fac5001c9", 0x21)]
    public void Other_headers_keep_the_length_and_a_valid_checksum(string source, string destination, string? endpoint, byte family)
    {
        var header = ProxyHeader.Proxy(IPEndPoint.Parse(source), IPEndPoint.Parse(destination), endpoint);
        header.Length.ShouldBe(100);
        header[13].ShouldBe(family);
        BinaryPrimitives.ReadUInt16BigEndian(header.AsSpan(14)).ShouldBe((ushort)84);
        var crcAt = 16 + (family == 0x11 ? 12 : 36) + 3;
        var stored = BinaryPrimitives.ReadUInt32BigEndian(header.AsSpan(crcAt));
        header.AsSpan(crcAt, 4).Clear();
        Crc32C(header).ShouldBe(stored);
    }

    private static uint Crc32C(byte[] bytes)
    {
        var crc = uint.MaxValue;
        foreach (var value in bytes)
        {
            crc ^= value;
            for (var bit = 0; bit < 8; bit++)
            {
                crc = (crc >> 1) ^ ((crc & 1) * 0x82F63B78u);
            }
        }
        return ~crc;
    }
}
