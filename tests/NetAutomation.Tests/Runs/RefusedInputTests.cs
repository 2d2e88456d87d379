using System.Net;
using System.Text.Json.Nodes;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Runs;

/// <summary>A tenant with one device, all blocks of lines, and credentials that may stand in an input or may not.</summary>
public sealed class BoughtBlocks(PostgresServer postgres) : IAsyncLifetime
{
    private readonly Dictionary<string, string> _ids = [];

    internal RunFixture Fixture { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        Fixture = await RunFixture.Start(postgres, 1);
        foreach (var block in new[] { "bgp-neighbors", "interfaces", "l3-interfaces", "prefix-lists", "raw-lines", "syslog" })
        {
            await Fixture.Post(Fixture.Client, "/v1/purchases", new { block, kind = "pay_per_use" });
        }

        foreach (var (name, password) in new[]
        {
            ("GOOD", "md5-key-1"), ("HELP", "md5?key"), ("BLANK", "md5 key"), ("TEMPLATE", "{{md5}}"),
        })
        {
            await Keep(name, new { name, kind = "secret", password });
        }

        await Keep("LOGIN", new { name = "LOGIN", kind = "password", username = "u", password = "p" });
    }

    public ValueTask DisposeAsync() => Fixture.DisposeAsync();

    /// <summary>The input in a run of the block, with ids in place of the names of credentials.</summary>
    internal object Body(string block, string input) => new
    {
        block, mode = "check", targets = new { all = true },
        input = JsonNode.Parse(_ids.Aggregate(input, (text, id) => text.Replace(id.Key, id.Value, StringComparison.Ordinal))),
    };

    private async Task Keep(string name, object credential) =>
        _ids[name] = (await Fixture.Post(Fixture.Client, "/v1/credentials", credential))["id"]!.GetValue<string>();
}

/// <summary>What no device could be given is refused before anything is priced, where it stands and in plain words.</summary>
public sealed class RefusedInputTests(BoughtBlocks shared) : IClassFixture<BoughtBlocks>
{
    private const string Pipe =
        """{"asn":65001,"neighbors":[{"address":"192.0.2.52","remoteAs":65052,"description":"pop1 | pop2"}]}""";

    [Theory]
    [InlineData(
        """{"prefix":"10.9.0.0/16","nextHop":"10.66.0.09"}""", "/nextHop format",
        "10.66.0.09 is not an IPv4 address: an octet has a leading zero.")]
    [InlineData("""{"prefix":"10.9.0.0/16","nextHop":"10.66.0.256"}""", "/nextHop format", "an octet is above 255")]
    [InlineData("""{"prefix":"10.9.0.0/16","nextHop":"10.66.1"}""", "/nextHop format", "four numbers")]
    [InlineData("""{"prefix":"10.9.0.0/16","nextHop":"10.66.0.1/24"}""", "/nextHop format", "a length belongs to a prefix only")]
    [InlineData("""{"prefix":"10.9.0.0/16","nextHop":"0.0.0.0"}""", "/nextHop format", "the address of another device")]
    [InlineData("""{"prefix":"10.9.0.0/16","nextHop":"127.0.0.1"}""", "/nextHop format", "loopback")]
    [InlineData("""{"prefix":"10.9.0.0/16","nextHop":"224.0.0.5"}""", "/nextHop format", "multicast")]
    [InlineData("""{"prefix":"10.9.0.0/16","nextHop":"240.0.0.1"}""", "/nextHop format", "reserved")]
    [InlineData("""{"prefix":"10.9.0.0/16","nextHop":"255.255.255.255"}""", "/nextHop format", "broadcast")]
    [InlineData("""{"prefix":"2001:db8::/32","nextHop":"::"}""", "/nextHop format", "unspecified")]
    [InlineData("""{"prefix":"2001:db8::/32","nextHop":"::1"}""", "/nextHop format", "loopback")]
    [InlineData("""{"prefix":"2001:db8::/32","nextHop":"ff02::1"}""", "/nextHop format", "multicast")]
    [InlineData("""{"prefix":"2001:db8::/32","nextHop":"::ffff:10.0.0.1"}""", "/nextHop format", "an IPv4 address in the form of IPv6")]
    [InlineData("""{"prefix":"::1:0/112","nextHop":"2001:db8::1"}""", "/prefix format", "an IPv4 address in the form of IPv6")]
    [InlineData("""{"prefix":"2001:db8::/32","nextHop":"fe80::1%eth0"}""", "/nextHop format", "a zone does not belong to it")]
    [InlineData("""{"prefix":"2001:db8::/32","nextHop":"2001:db8::12345"}""", "/nextHop format", "hexadecimal")]
    [InlineData(
        """{"prefix":"10.09.0.0/16","nextHop":"10.66.0.1"}""", "/prefix format",
        "10.09.0.0/16 is not a prefix: an octet has a leading zero.")]
    [InlineData("""{"prefix":"10.9.0.0/016","nextHop":"10.66.0.1"}""", "/prefix format", "the length has a leading zero")]
    [InlineData("""{"prefix":"10.9.0.0/33","nextHop":"10.66.0.1"}""", "/prefix format", "from 0 to 32")]
    [InlineData("""{"prefix":"2001:db8::/129","interface":"eth0"}""", "/prefix format", "from 0 to 128")]
    [InlineData("""{"prefix":"10.9.0.0","nextHop":"10.66.0.1"}""", "/prefix format", "a length")]
    [InlineData("""{"prefix":"10.9.0.0/16"}""", "/nextHop required", "One of nextHop and interface is needed.")]
    [InlineData("""{"prefix":"10.9.0.0/16","nextHop":"2001:db8::1"}""", "/nextHop same_family", "not both IPv4 or both IPv6")]
    [InlineData("""{"prefix":"2001:db8::/32","nextHop":"fe80::1"}""", "/interface required", "fe80::1 is link-local")]
    [InlineData("""{"prefix":"10.9.0.0/16","interface":"10.66.0.1"}""", "/interface format", "at least one letter")]
    [InlineData("""{"prefix":"10.9.0.0/16","interface":"a::1"}""", "/interface format", "it is an address")]
    [InlineData("""{"prefix":"10.9.0.0/16","interface":"eth 0"}""", "/interface format", "the name of an interface")]
    [InlineData(
        """{"prefix":"10.9.0.0/16","interface":"Null0"}""", "/interface reserved", "The command line of frr takes \"Null0\" for itself.")]
    [InlineData("""{"prefix":"10.9.0.0/16","nextHop":"10.66.0.1","vrf":"a b"}""", "/vrf format", "the name of a VRF")]
    [InlineData("""{"prefix":"10.9.0.0/16","nextHop":"10.66.0.1","vrf":"default"}""", "/vrf reserved", "frr takes \"default\" for itself")]
    [InlineData("""{"prefix":"10.9.0.0/16","nextHop":"10.66.0.1","tag":0}""", "/tag minimum", "At least 1.")]
    public Task A_route_is_refused_in_plain_words(string route, string fault, string words) =>
        Refused("static-routes", $$"""{"routes":[{{route}}]}""", words, $"/input/routes/0{fault}");

    [Theory]
    [InlineData("""{"prefix":"10.9.0.0/16","nextHop":"10.66.0.1"}""", """{"prefix":"10.9.1.7/16","nextHop":"10.66.0.1","distance":9}""")]
    [InlineData(
        """{"prefix":"2001:db8::/32","nextHop":"2001:db8::1"}""", """{"prefix":"2001:DB8:0::/32","nextHop":"2001:0db8::0:1","tag":9}""")]
    [InlineData(
        """{"prefix":"10.9.0.0/16","nextHop":"10.66.0.1"}""", """{"prefix":"10.9.0.0/16","nextHop":"10.66.0.1","interface":"eth0"}""")]
    [InlineData("""{"prefix":"10.9.0.0/16","interface":"eth0"}""", """{"prefix":"10.9.0.0/16","interface":"eth0","tag":9}""")]
    [InlineData(
        """{"vrf":"RED","prefix":"2001:db8::/32","nextHop":"fe80::1","interface":"eth0"}""",
        """{"vrf":"RED","prefix":"2001:db8::/32","nextHop":"FE80::1","interface":"eth0","tag":9}""")]
    public Task Two_entries_for_one_route_are_refused_at_both(string one, string other) => Refused(
        "static-routes", $$"""{"routes":[{{one}},{"prefix":"10.8.0.0/16","nextHop":"10.66.0.1"},{{other}}]}""",
        " as in /input/routes/2.", "/input/routes/0 unique_by", "/input/routes/2 unique_by");

    [Fact]
    public Task Two_entries_for_one_neighbour_are_refused_at_both() => Refused(
        "bgp-neighbors",
        """{"asn":65001,"neighbors":[{"address":"2001:db8::1","remoteAs":65002},{"address":"2001:DB8::0:1","remoteAs":65003}]}""",
        "The same address as in /input/neighbors/1.", "/input/neighbors/0 unique_by", "/input/neighbors/1 unique_by");

    [Theory]
    [InlineData("""{"address":"10.66.9.09","remoteAs":65002}""", "/address format", "an octet has a leading zero")]
    [InlineData("""{"address":"fe80::1","remoteAs":65002}""", "/address format", "it is link-local")]
    [InlineData("""{"address":"10.66.9.9"}""", "/remoteAs required", "The member is missing.")]
    [InlineData(
        """{"address":"10.66.9.9","remoteAs":0}""", "/remoteAs format", "0 is not the number of an autonomous system: it is reserved.")]
    [InlineData("""{"address":"10.66.9.9","remoteAs":23456}""", "/remoteAs format", "AS_TRANS")]
    [InlineData("""{"address":"10.66.9.9","remoteAs":65535}""", "/remoteAs format", "it is reserved")]
    [InlineData("""{"address":"10.66.9.9","remoteAs":4294967295}""", "/remoteAs format", "it is reserved")]
    [InlineData("""{"address":"10.66.9.9","remoteAs":4294967296}""", "/remoteAs format", "they are 1 to 4294967294")]
    [InlineData(
        """{"address":"10.66.9.9","remoteAs":65002,"description":"pop1 | pop2"}""", "/description reserved",
        "The command line of frr takes \"| \" for itself.")]
    [InlineData("""{"address":"10.66.9.9","remoteAs":65002,"description":"pop1| pop2"}""", "/description reserved", "\"| \"")]
    [InlineData("""{"address":"10.66.9.9","remoteAs":65002,"description":"who?"}""", "/description reserved", "\"?\"")]
    [InlineData("""{"address":"10.66.9.9","remoteAs":65002,"description":"Zürich"}""", "/description format", "printable ASCII")]
    [InlineData("""{"address":"10.66.9.9","remoteAs":65002,"description":"a  b"}""", "/description format", "two blanks stand together")]
    [InlineData("""{"address":"10.66.9.9","remoteAs":65002,"description":"a "}""", "/description format", "it begins or ends with a blank")]
    [InlineData("""{"address":"10.66.9.9","remoteAs":65002,"description":""}""", "/description format", "at least one")]
    [InlineData("""{"address":"10.66.9.9","remoteAs":65002,"password":{}}""", "/password format", "never as text")]
    [InlineData(
        """{"address":"10.66.9.9","remoteAs":65002,"password":{"credentialId":"GOOD","x":1}}""", "/password format", "never as text")]
    [InlineData("""{"address":"10.66.9.9","remoteAs":65002,"password":{"credentialId":"cre_01"}}""", "/password format", "never as text")]
    [InlineData(
        """{"address":"10.66.9.9","remoteAs":65002,"password":{"credentialId":"cre_00000000000000000000000001"}}""",
        "/password/credentialId unknown_credential", "no such credential")]
    [InlineData(
        """{"address":"10.66.9.9","remoteAs":65002,"password":{"credentialId":"LOGIN"}}""", "/password/credentialId unknown_credential",
        "of the kind secret")]
    [InlineData(
        """{"address":"10.66.9.9","remoteAs":65002,"password":{"credentialId":"HELP"}}""", "/password reserved",
        "The command line of frr does not take this secret as it is.")]
    [InlineData("""{"address":"10.66.9.9","remoteAs":65002,"password":{"credentialId":"BLANK"}}""", "/password reserved", "frr")]
    [InlineData(
        """{"address":"10.66.9.9","remoteAs":65002,"password":{"credentialId":"TEMPLATE"}}""", "/password template", "Template marks")]
    public Task A_neighbour_is_refused_in_plain_words(string neighbor, string fault, string words) =>
        Refused("bgp-neighbors", $$"""{"asn":65001,"neighbors":[{{neighbor}}]}""", words, $"/input/neighbors/0{fault}");

    [Theory]
    [InlineData(
        "syslog", """{"servers":[{"address":"10.0.0.9"}],"sourceInterface":"eth0","level":"errors"}""",
        "frr cannot do this: its programs log to the syslog of their own host and to no other.", "/input/servers",
        "/input/sourceInterface")]
    [InlineData(
        "interfaces",
        """{"interfaces":[{"interface":"eth0","enabled":true},{"interface":"eth1","mtu":9000},{"interface":"eth2","mtu":1500}]}""",
        "the MTU is the kernel's", "/input/interfaces/1/mtu", "/input/interfaces/2/mtu")]
    [InlineData(
        "l3-interfaces", """{"state":"absent","interfaces":[{"interface":"eth0","addresses":["10.0.0.1/24"],"vrf":"RED"}]}""",
        "the kernel puts an interface into a VRF", "/input/interfaces/0/vrf")]
    public Task What_the_platform_cannot_do_is_refused_by_name(string block, string input, string words, params string[] pointers) =>
        Refused(block, input, words, [.. pointers.Select(pointer => $"{pointer} not_on_platform")]);

    [Theory]
    [InlineData("""{"sequence":5,"action":"permit","prefix":"10.9.0.0/16","ge":16}""", "/ge out_of_range", "Here it is 17 to 32")]
    [InlineData("""{"sequence":5,"action":"permit","prefix":"10.9.0.0/16","le":33}""", "/le out_of_range", "17 to 32")]
    [InlineData(
        """{"sequence":5,"action":"permit","prefix":"2001:db8::/32","ge":64,"le":48}""", "/le out_of_range",
        "Here it is 64 to 128, beside 2001:db8::/32.")]
    [InlineData(
        """{"sequence":5,"action":"permit","prefix":"10.9.0.1/32","le":32}""", "/le out_of_range",
        "No prefix is longer than 10.9.0.1/32.")]
    public Task An_entry_that_no_prefix_fits_is_refused(string entry, string fault, string words) => Refused(
        "prefix-lists", $$$"""{"prefixLists":[{"name":"IN","entries":[{{{entry}}}]}]}""", words, $"/input/prefixLists/0/entries/0{fault}");

    [Theory]
    [InlineData("10.0.0.0/24", "it is the prefix, and no address in it")]
    [InlineData("2001:db8::/64", "it is the prefix, and no address in it")]
    [InlineData("127.0.0.1/8", "it is a loopback address")]
    [InlineData("10.0.0.1", "a length are needed")]
    public Task What_no_interface_can_have_is_refused(string address, string words) => Refused(
        "l3-interfaces", $$$"""{"interfaces":[{"interface":"eth0","addresses":["{{{address}}}"]}]}""", words,
        "/input/interfaces/0/addresses/0 format");

    [Theory]
    [InlineData("! a comment")]
    [InlineData("ex")]
    [InlineData("end")]
    [InlineData("do show version")]
    [InlineData("description what?")]
    public Task A_line_that_configures_nothing_is_refused(string line) => Refused(
        "raw-lines", $$$"""{"changes":[{"section":["interface eth0"],"lines":["{{{line}}}"]}]}""", "frr takes",
        "/input/changes/0/lines/0 reserved");

    [Fact]
    public Task A_secret_as_text_is_refused_and_not_repeated() => Refused(
        "bgp-neighbors", """{"asn":65001,"neighbors":[{"address":"10.66.9.9","remoteAs":65002,"password":"visible"}]}""",
        "never as text", "/input/neighbors/0/password format", "/input/neighbors/0/password type");

    [Theory]
    [InlineData(
        "static-routes", """{"routes":[{"prefix":"2001:DB8:0:0::/32","nextHop":"2001:db8::192.0.2.1","distance":20,"tag":4294967295}]}""")]
    [InlineData(
        "static-routes",
        """{"routes":[{"prefix":"::/0","nextHop":"fe80::1","interface":"e0"},{"prefix":"::/0","nextHop":"fe80::1","interface":"e1"}]}""")]
    [InlineData(
        "static-routes",
        """{"routes":[{"prefix":"0.0.0.0/0","interface":"wg0"},{"prefix":"0.0.0.0/0","interface":"ge-0/0/0.10"}],"state":"present"}""")]
    [InlineData(
        "static-routes",
        """
        {"state":"absent","routes":[
          {"prefix":"10.9.1.7/16","nextHop":"169.254.0.1"},{"vrf":"RED","prefix":"10.9.1.7/16","nextHop":"169.254.0.1"}]}
        """)]
    [InlineData(
        "bgp-neighbors",
        """{"asn":4200000000,"vrf":"RED","neighbors":[{"address":"10.0.0.1","remoteAs":64512,"description":"x|y {(backup)} #2!"}]}""")]
    [InlineData("syslog", """{"level":"debugging","facility":"local7"}""")]
    [InlineData("interfaces", """{"interfaces":[{"interface":"eth0","description":"up or not","enabled":false}]}""")]
    [InlineData(
        "l3-interfaces",
        """{"interfaces":[{"interface":"eth0","addresses":["10.0.0.0/31","10.0.0.5/32","fe80::1/64","2001:db8::/128"]}]}""")]
    [InlineData(
        "prefix-lists",
        """{"prefixLists":[{"name":"IN","entries":[{"sequence":5,"action":"deny","prefix":"0.0.0.0/0","ge":25,"le":25}]}]}""")]
    [InlineData(
        "raw-lines", """{"changes":[{"section":["router bgp 65001"],"lines":["exempt none","endless x","bgp router-id 10.0.0.1"]}]}""")]
    [InlineData("bgp-neighbors", """{"asn":65001,"state":"absent","neighbors":[{"address":"10.0.0.1"},{"address":"2001:db8::1"}]}""")]
    [InlineData(
        "bgp-neighbors", """{"asn":65001,"neighbors":[{"address":"10.0.0.1","remoteAs":65001,"password":{"credentialId":"GOOD"}}]}""")]
    public async Task What_a_device_can_be_given_is_quoted(string block, string input) =>
        (await shared.Fixture.Client.Call("POST", "/v1/quotes", shared.Body(block, input))).Must(HttpStatusCode.Created);

    [Fact]
    public async Task Runs_batches_and_schedules_refuse_as_quotes_do()
    {
        var (client, run) = (shared.Fixture.Client, shared.Body("bgp-neighbors", Pipe));
        var one = await RunFixture.Post(client, "/v1/runs", run, null, 422);
        var batch = await RunFixture.Post(client, "/v1/runs:batch", new { runs = new[] { run } }, null, 422);
        var schedule = await client.Call("POST", "/v1/schedules", new { name = "s", cron = "0 3 * * *", timeZone = "UTC", run });

        $"{one["errors"]![0]!["pointer"]}".ShouldBe("/input/neighbors/0/description");
        $"{batch["errors"]![0]!["pointer"]}".ShouldBe("/runs/0/input/neighbors/0/description");
        schedule.Must(HttpStatusCode.UnprocessableEntity).Faults.ShouldBe(["/run/input/neighbors/0/description reserved"]);
        (await shared.Fixture.Scalar<long>("select count(*) from runs.run")).ShouldBe(0);
    }

    private async Task Refused(string block, string input, string words, params string[] faults)
    {
        var answer = (await shared.Fixture.Client.Call("POST", "/v1/quotes", shared.Body(block, input)))
            .Must(HttpStatusCode.UnprocessableEntity);
        answer.Problem.ShouldBe("validation_failed");
        answer.Faults.ShouldBe(faults, ignoreOrder: true);
        string.Join('\n', answer.Json.GetProperty("errors").EnumerateArray().Select(error => $"{error.GetProperty("detail")}"))
            .ShouldContain(words);
        answer.Text.ShouldNotContain("visible");
    }
}
