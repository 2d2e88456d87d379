using System.Text;
using System.Text.Json;
using NetAutomation.Web;

namespace NetAutomation.Tests.Web;

public sealed class CanonicalJsonTests
{
    [Theory]
    [InlineData("1", "1")]
    [InlineData("1.0", "1")]
    [InlineData("1.000e0", "1")]
    [InlineData("10e-1", "1")]
    [InlineData("1e2", "100")]
    [InlineData("-0", "0")]
    [InlineData("-0.0e5", "0")]
    [InlineData("-12.50e1", "-125")]
    [InlineData("9223372036854775807", "9223372036854775807")]
    [InlineData("9007199254740993.0", "9007199254740993")]
    [InlineData("-9223372036854775808", "-9223372036854775808")]
    [InlineData("1.50", "1.5")]
    [InlineData("0.00015e4", "1.5")]
    [InlineData("0.1", "0.1")]
    public void A_number_has_one_form(string number, string form) =>
        Encoding.UTF8.GetString(CanonicalJson.Bytes(JsonElement.Parse($$$"""{"b":[{{{number}}}],"a":{}}""")))
            .ShouldBe($$"""{"a":{},"b":[{{form}}]}""");

    [Theory]
    [InlineData("1.5")]
    [InlineData("1e-1")]
    [InlineData("9223372036854775808")]
    [InlineData("1e19")]
    [InlineData("1e99999999999")]
    [InlineData("1e-99999999999")]
    public void What_is_no_integer_of_64_bits_is_not_whole(string number) => CanonicalJson.IsWhole(number, out _).ShouldBeFalse();
}
