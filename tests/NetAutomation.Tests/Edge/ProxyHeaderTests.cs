using System.Buffers;
using System.Text;
using NetAutomation.Edge.Proxy;
using NetAutomation.Tests.Corpora;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Edge;

public sealed class ProxyHeaderTests
{
    private const string V4 = "c0a80001c0a80002303901bb";
    private static readonly string _v6 = "20010db8000000000000000000000001" + "20010db8000000000000000000000002" + "303901bb";

    // aws/elastic-load-balancing-tools, and a health check captured in kubernetes/kubernetes#57250.
    private static readonly string _privateLink =
        "21110054ac1f0771ac1f0a1fc8f20050030004e8d6892dea001701767063652d3038643262663135666163353030316339040024" + new string('0', 72);

    private static readonly string _healthCheck = "20110054030004bce5951f04004a" + new string('0', 148);

    [Fact]
    public void A_header_captured_from_a_load_balancer_names_its_endpoint()
    {
        var header = Complete(Bytes(_privateLink));
        header.EndpointId.ShouldBe("vpce-08d2bf15fac5001c9");
        header.Source!.ToString().ShouldBe("172.31.7.113:51442");
        header.Destination!.ToString().ShouldBe("172.31.10.31:80");
        header.Length.ShouldBe(100);
    }

    [Fact]
    public void A_health_check_without_an_address_block_is_local_and_skipped() =>
        Complete(Bytes(_healthCheck)).ShouldBe(new ProxyHeader(true, null, null, null, 100));

    [Theory]
    [InlineData("20000000", 16)]
    [InlineData("20110000", 16)]
    [InlineData("2011000c" + V4, 28)]
    [InlineData("20110005aabbccddee", 21)]
    [InlineData("20120000", 16)]
    public void A_local_header_is_skipped_whatever_it_holds(string hex, int length) =>
        Complete(Bytes(hex)).ShouldBe(new ProxyHeader(true, null, null, null, length));

    [Fact]
    public void A_local_header_may_have_any_length() => Complete([.. Bytes("2011ffff"), .. new byte[65535]]).Length.ShouldBe(65551);

    [Fact]
    public void Addresses_of_each_family_are_read()
    {
        Complete(Bytes("2111000c" + V4)).Source!.ToString().ShouldBe("192.168.0.1:12345");
        Complete(Bytes("21210024" + _v6)).Source!.ToString().ShouldBe("[2001:db8::1]:12345");
        Complete(Bytes("213100d8" + new string('0', 432))).Source.ShouldBeNull();
        Complete(Bytes("21000000")).Source.ShouldBeNull();
        Complete(Bytes("2100000404000100")).EndpointId.ShouldBeNull();
        Complete(Bytes("2111000f" + V4 + "040000")).EndpointId.ShouldBeNull();
    }

    [Theory]
    [InlineData("2111000c" + V4)]
    [InlineData("21110011" + V4 + "ea00020299")]
    [InlineData("2111000f" + V4 + "ea0000")]
    [InlineData("21110013" + V4 + "99000401020304")]
    public void A_header_without_an_endpoint_names_none(string hex) => Complete(Bytes(hex)).EndpointId.ShouldBeNull();

    [Theory]
    [InlineData("2112000c" + V4, "family")]
    [InlineData("2113000c" + V4, "family")]
    [InlineData("2141000c" + V4, "family")]
    [InlineData("2041000c" + V4, "family")]
    [InlineData("1111000c" + V4, "version_or_command")]
    [InlineData("3111000c" + V4, "version_or_command")]
    [InlineData("2211000c" + V4, "version_or_command")]
    [InlineData("2111000bc0a80001c0a80002303901", "too_short")]
    [InlineData("2121000c" + V4, "too_short")]
    [InlineData("213100d7", "too_short")]
    [InlineData("2111ffff", "too_long")]
    [InlineData("21111001", "too_long")]
    [InlineData("21110010" + V4 + "05000200", "type_cut")]
    [InlineData("2111000e" + V4 + "0500", "type_cut")]
    [InlineData("21110010" + V4 + "00000000", "type_cut")]
    [InlineData("21110012" + V4 + "030003000000", "checksum")]
    [InlineData("21110013" + V4 + "03000400000000", "checksum")]
    [InlineData("2111001b" + V4 + "ea000c01767063652d3f3f3f3f3f3f", "endpoint_malformed")]
    [InlineData("2111001d" + V4 + "ea000e01767063652d3031323334353647", "endpoint_malformed")]
    [InlineData("2111001d" + V4 + "ea000e01767063652d3031323334353641", "endpoint_malformed")]
    [InlineData("21110010" + V4 + "ea000101", "endpoint_malformed")]
    public void A_header_that_breaks_the_rules_is_refused(string hex, string fault)
    {
        Read(Bytes(hex)).ShouldBe((null, fault));
    }

    [Fact]
    public void A_changed_bit_under_a_checksum_is_refused()
    {
        var bytes = Bytes(_privateLink);
        bytes[^1] = 1;
        Read(bytes).Fault.ShouldBe("checksum");
    }

    [Fact]
    public void Two_endpoints_or_two_checksums_are_refused()
    {
        var endpoint = ProxyV2.Type(0xEA, [1, .. "vpce-0123456789abcdef0"u8]);
        Read(ProxyV2.Header(endpoint, endpoint)).Fault.ShouldBe("endpoint_ambiguous");
        var captured = Bytes(_privateLink);
        byte[] twice = [.. captured[..15], 0x5b, .. captured[16..], 3, 0, 4, 0, 0, 0, 0];
        Read(twice).Fault.ShouldBe("checksum");
    }

    [Theory]
    [InlineData("PROXY TCP4 192.168.0.1 192.168.0.2 12345 443\r\n", 1)]
    [InlineData("\u0016\u0003\u0001", 1)]
    [InlineData("GET / HTTP/1.1\r\n", 1)]
    [InlineData("\r\n\r\n\0\r\nQUIT\v", 12)]
    [InlineData("\r\n\r\nGET ", 5)]
    public void Anything_else_is_refused_at_the_first_byte_that_differs(string text, int at)
    {
        var bytes = Encoding.Latin1.GetBytes(text);
        Read(bytes[..(at - 1)]).ShouldBe((null, null));
        Read(bytes[..at]).ShouldBe((null, "not_a_header"));
    }

    [Fact]
    public void A_strict_prefix_waits_and_the_rest_is_left_alone()
    {
        var bytes = Bytes(_privateLink);
        for (var length = 0; length < bytes.Length; length++)
        {
            Read(bytes[..length]).ShouldBe((null, null), $"{length} bytes");
            Read(Segments.Of(bytes, length)).Header!.EndpointId.ShouldBe("vpce-08d2bf15fac5001c9", $"split at {length}");
        }

        Read([.. bytes, 0x16, 0x03, 0x01]).Header!.Length.ShouldBe(100);
    }

    [Fact]
    public void Random_bytes_never_throw_and_never_name_an_endpoint_with_a_broken_checksum()
    {
        var random = new Random(20_26);
        var captured = Bytes(_privateLink);
        for (var round = 0; round < 20_000; round++)
        {
            var bytes = (byte[])captured.Clone();
            for (var flips = random.Next(1, 4); flips > 0; flips--)
            {
                bytes[random.Next(bytes.Length)] ^= (byte)random.Next(1, 256);
            }

            if (Read(Segments.Of(bytes, random.Next(bytes.Length))).Header?.EndpointId is not null)
            {
                // Only a header whose checksum type was changed may pass without a checksum.
                (bytes.AsSpan(28, 3).SequenceEqual(captured.AsSpan(28, 3)) && !bytes.AsSpan().SequenceEqual(captured))
                    .ShouldBeFalse($"round {round}");
            }

            random.NextBytes(bytes);
            ProxyV2.Signature.CopyTo(bytes, 0);
            (bytes[12], bytes[13]) = ((byte)random.Next(0x1f, 0x23), (byte)random.Next(0, 0x34));
            Read(bytes).Header?.EndpointId.ShouldBeNull();
        }
    }

    private static byte[] Bytes(string hex) => [.. ProxyV2.Signature, .. Convert.FromHexString(hex)];

    private static ProxyHeader Complete(byte[] bytes)
    {
        var (header, fault) = Read(bytes);
        return header.ShouldNotBeNull(fault);
    }

    private static (ProxyHeader? Header, string? Fault) Read(byte[] bytes) => Read(new ReadOnlySequence<byte>(bytes));

    private static (ProxyHeader? Header, string? Fault) Read(ReadOnlySequence<byte> bytes) => ProxyHeader.Read(bytes);
}
