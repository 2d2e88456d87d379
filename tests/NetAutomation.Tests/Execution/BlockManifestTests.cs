using System.Text.Json;
using NetAutomation.Catalog.Schema;
using YamlDotNet.Serialization;

namespace NetAutomation.Tests.Execution;

/// <summary>The input schemas of our own blocks refuse values that try to become a second command.</summary>
public sealed class BlockManifestTests
{
    public static TheoryData<string, string> Accepted() => new()
    {
        { "config-backup", "{}" },
        { "static-routes", """{"routes":[{"prefix":"10.9.0.0/16","nextHop":"192.0.2.1","distance":20}],"state":"absent"}""" },
        { "static-routes", """{"routes":[{"prefix":"0.0.0.0/0","nextHop":"223.255.255.255"}]}""" },
        { "bgp-neighbors",
            """{"asn":4200000000,"neighbors":[{"address":"10.0.0.1","remoteAs":65001,"description":"to r002 (backup) #2"}]}""" },
    };

    public static TheoryData<string, string> Refused() => new()
    {
        { "config-backup", """{"x":1}""" },
        { "static-routes", """{"routes":[]}""" },
        { "static-routes", """{"routes":[{"prefix":"10.9.0.0/33","nextHop":"192.0.2.1"}]}""" },
        { "static-routes", """{"routes":[{"prefix":"10.9.0.0/16\n","nextHop":"192.0.2.1"}]}""" },
        { "static-routes", """{"routes":[{"prefix":"10.9.0.0/16","nextHop":"192.0.2.1\nno router bgp"}]}""" },
        { "static-routes", """{"routes":[{"prefix":"10.9.0.0/16","nextHop":"{{ x }}"}]}""" },
        { "static-routes", """{"routes":[{"prefix":"10.9.0.0/16","nextHop":"256.0.2.1"}]}""" },
        { "static-routes", """{"routes":[{"prefix":"10.9.0.0/16","nextHop":"192.0.2.1","distance":256}]}""" },
        { "static-routes", """{"routes":[{"prefix":"10.9.0.0/16","nextHop":"192.0.2.1","ansible_connection":"local"}]}""" },
        { "bgp-neighbors", """{"asn":0,"neighbors":[{"address":"10.0.0.1","remoteAs":1}]}""" },
        { "bgp-neighbors", """{"asn":1,"neighbors":[{"address":"10.0.0.1","remoteAs":1,"description":"x\nno router bgp 1"}]}""" },
        { "bgp-neighbors", """{"asn":1,"neighbors":[{"address":"10.0.0.1","remoteAs":1,"description":"x\n"}]}""" },
        { "bgp-neighbors", """{"asn":1,"neighbors":[{"address":"10.0.0.1","remoteAs":1,"description":"tab\there"}]}""" },
        { "bgp-neighbors", """{"asn":1,"neighbors":[{"address":"10.0.0.1","remoteAs":1,"description":"trailing "}]}""" },
    };

    [Theory]
    [MemberData(nameof(Accepted))]
    public async Task Good_input_is_accepted(string block, string input) =>
        (await Schema(block)).Faults(JsonElement.Parse(input)).ShouldBeEmpty();

    [Theory]
    [MemberData(nameof(Refused))]
    public async Task Hostile_or_wrong_input_is_refused(string block, string input) =>
        (await Schema(block)).Faults(JsonElement.Parse(input)).ShouldNotBeEmpty();

    private static async Task<InputSchema> Schema(string block)
    {
        var yaml = await File.ReadAllTextAsync(Path.Combine(AppContext.BaseDirectory, "blocks", block, "block.yaml"));
        var manifest = new DeserializerBuilder().WithAttemptingUnquotedStringTypeDeserialization().Build()
            .Deserialize<Dictionary<string, object>>(yaml);
        return InputSchema.Read(JsonSerializer.Serialize(manifest["input"]));
    }
}
