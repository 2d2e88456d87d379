using System.Text.Json.Nodes;

namespace NetAutomation.EndToEnd;

/// <summary>Routers that others have configured before: what a run says of them is what they do, and only that is charged.</summary>
public sealed class FoundOnRoutersTests(LocalProduct product)
{
    private const string Router = "r001";

    [Fact]
    public async Task Routes_with_a_tag_a_distance_or_an_interface_made_absent_are_gone()
    {
        var customer = await product.Customer(1);
        await product.Configure(
            customer, Router, "ip route 10.31.0.0/16 10.66.0.1 tag 100", "ip route 10.32.0.0/16 10.66.0.1 200",
            "ip route 10.33.0.0/16 10.66.0.1 eth0");

        var (run, device) = await Run(customer, "static-routes", Routes("absent", "10.31.0.0/16", "10.32.0.0/16", "10.33.0.0/16"));

        Customer.Text(device, "outcome").ShouldBe("changed", $"{run} {device}");
        (await product.RunningConfig(customer, Router))
            .ShouldNotContain(line => line.StartsWith("ip route 10.3", StringComparison.Ordinal));
        Strings(device["result"]!["undo"]).ShouldBe(
            ["ip route 10.31.0.0/16 10.66.0.1 tag 100", "ip route 10.32.0.0/16 10.66.0.1 200", "ip route 10.33.0.0/16 10.66.0.1 eth0"]);
        Customer.Text(device["result"]!, "verified").ShouldBe("effect");
    }

    [Fact]
    public async Task Routes_with_other_attributes_made_present_are_shown_with_the_line_they_lose()
    {
        var customer = await product.Customer(1);
        await product.Configure(
            customer, Router, "ip route 10.41.0.0/16 10.66.0.1 tag 100", "ip route 10.42.0.0/16 10.66.0.1 200",
            "ip route 10.43.0.0/16 10.66.0.1 eth0");
        var input = Routes("present", "10.41.0.0/16", "10.42.0.0/16", "10.43.0.0/16");

        var (check, checking) = await Run(customer, "static-routes", input, "check");
        var (apply, applying) = await Run(customer, "static-routes", input);
        var (_, again) = await Run(customer, "static-routes", input);

        var diff = await customer.GetText($"/v1/runs/{Customer.Text(check, "id")}/devices/{Customer.Text(checking, "deviceId")}/diff");
        diff.TrimEnd().Split('\n').ShouldBe(
            ["-ip route 10.41.0.0/16 10.66.0.1 tag 100", "-ip route 10.42.0.0/16 10.66.0.1 200", "-ip route 10.43.0.0/16 10.66.0.1 eth0",
                "+ip route 10.41.0.0/16 10.66.0.1", "+ip route 10.42.0.0/16 10.66.0.1", "+ip route 10.43.0.0/16 10.66.0.1"],
            ignoreOrder: true, diff);
        Customer.Text(applying, "outcome").ShouldBe("changed", $"{apply} {applying}");
        (await product.RunningConfig(customer, Router)).Where(line => line.StartsWith("ip route 10.4", StringComparison.Ordinal)).ShouldBe(
            ["ip route 10.41.0.0/16 10.66.0.1", "ip route 10.42.0.0/16 10.66.0.1", "ip route 10.43.0.0/16 10.66.0.1"]);
        Customer.Text(again, "outcome").ShouldBe("ok");
    }

    [Fact]
    public async Task A_neighbour_of_a_VRF_is_none_of_the_default_instance()
    {
        var customer = await product.Customer(2);
        await product.Configure(customer, Router, "router bgp 65001 vrf BLUE", "neighbor 192.0.2.8 remote-as 65008", "exit");

        var (run, device) = await Run(customer, "bgp-neighbors", Neighbors(("192.0.2.8", 65008)));

        Customer.Text(device, "outcome").ShouldBe("changed", $"{run} {device}");
        var lines = await product.RunningConfig(customer, Router);
        lines.Count(line => line == "neighbor 192.0.2.8 remote-as 65008").ShouldBe(2, string.Join('\n', lines));
        Customer.Text(device["result"]!, "verified").ShouldBe("effect");
    }

    [Fact]
    public async Task A_member_of_a_peer_group_that_has_the_wanted_number_is_there_and_another_number_is_refused_with_the_reason()
    {
        var customer = await product.Customer(2);
        await product.Configure(
            customer, Router, "router bgp 65001", "neighbor PG peer-group", "neighbor PG remote-as 65020",
            "neighbor 192.0.2.20 peer-group PG");

        var (same, there) = await Run(customer, "bgp-neighbors", Neighbors(("192.0.2.20", 65020)));
        var (_, other) = await Run(customer, "bgp-neighbors", Neighbors(("192.0.2.20", 65021)));

        Customer.Text(there, "outcome").ShouldBe("ok", $"{same} {there}");
        (Customer.Text(other, "outcome"), Customer.Text(other, "code")).ShouldBe(("failed", "refused"));
        Customer.Text(other, "message").ShouldContain("its peer-group PG sets remote-as 65020");
    }

    [Fact]
    public async Task What_a_router_will_not_have_is_told_in_its_own_words()
    {
        var customer = await product.Customer(2);
        var own = (await customer.Get("/v1/devices"))["items"]!.AsArray().Single(device => Customer.Text(device!, "name") == Router)!;

        var (run, device) = await Run(customer, "bgp-neighbors", Neighbors((Customer.Text(own, "address"), 65002)));

        Customer.Text(device, "outcome").ShouldBe("failed", $"{run} {device}");
        Customer.Text(device, "message").ShouldContain("local system");
        Customer.Amount(run["charged"]).ShouldBe(0);
    }

    private static JsonObject Routes(string state, params string[] prefixes) => new()
    {
        ["state"] = state,
        ["routes"] = new JsonArray(
            [.. prefixes.Select(prefix => new JsonObject { ["prefix"] = prefix, ["nextHop"] = "10.66.0.1" })]),
    };

    private static JsonObject Neighbors(params (string Address, int RemoteAs)[] neighbors) => new()
    {
        ["asn"] = 65001,
        ["neighbors"] = new JsonArray(
            [.. neighbors.Select(neighbor => new JsonObject { ["address"] = neighbor.Address, ["remoteAs"] = neighbor.RemoteAs })]),
    };

    private static IEnumerable<string> Strings(JsonNode? list) => list!.AsArray().Select(item => item!.GetValue<string>());

    private static async Task<(JsonNode Run, JsonNode Device)> Run(Customer customer, string block, JsonObject input, string mode = "apply")
    {
        var device = (await customer.Get("/v1/devices"))["items"]!.AsArray().Single(device => Customer.Text(device!, "name") == Router)!;
        var run = await customer.Run(new JsonObject
        {
            ["block"] = block, ["mode"] = mode, ["input"] = input.DeepClone(),
            ["targets"] = new JsonObject { ["deviceIds"] = new JsonArray(Customer.Text(device, "id")) },
        });
        return (run, (await customer.DevicesOf(run)).Single());
    }
}
