using System.Text.Json.Nodes;

namespace NetAutomation.EndToEnd;

public sealed class RouterTests(LocalProduct product)
{
    private const string NextHop = "10.66.0.1";

    [Fact]
    public async Task Check_shows_apply_does_and_a_second_apply_changes_nothing()
    {
        var customer = await product.Customer(1);
        const string line = $"ip route 10.101.0.0/16 {NextHop}";

        var check = await customer.Run(Customer.Routes("check", "10.101.0.0/16", NextHop));

        Customer.Text(check, "state").ShouldBe("succeeded", $"{check}");
        foreach (var device in await customer.DevicesOf(check))
        {
            (await customer.GetText($"/v1/runs/{Customer.Text(check, "id")}/devices/{Customer.Text(device, "deviceId")}/diff"))
                .ShouldContain(line);
        }

        foreach (var router in LocalProduct.RouterNames)
        {
            (await product.RunningConfig(customer, router)).ShouldNotContain(line);
        }

        var apply = await customer.Run(Customer.Routes("apply", "10.101.0.0/16", NextHop));

        Customer.Text(apply, "state").ShouldBe("succeeded", $"{apply}");
        apply["summary"]!["changed"]!.GetValue<int>().ShouldBe(LocalProduct.RouterNames.Count);
        foreach (var router in LocalProduct.RouterNames)
        {
            (await product.RunningConfig(customer, router)).ShouldContain(line);
        }

        var again = await customer.Run(Customer.Routes("apply", "10.101.0.0/16", NextHop));

        Customer.Text(again, "state").ShouldBe("succeeded", $"{again}");
        again["summary"]!["changed"]!.GetValue<int>().ShouldBe(0);
    }

    [Fact]
    public async Task Customers_with_the_same_addresses_change_only_their_own_routers()
    {
        var (first, second) = (await product.Customer(1), await product.Customer(2));
        (await Addresses(first)).ShouldBe(await Addresses(second));

        var runs = await Task.WhenAll(
            first.Run(Customer.Routes("apply", "10.111.0.0/16", NextHop)), second.Run(Customer.Routes("apply", "10.112.0.0/16", NextHop)));

        foreach (var run in runs)
        {
            Customer.Text(run, "state").ShouldBe("succeeded", $"{run}");
        }

        foreach (var router in LocalProduct.RouterNames)
        {
            var (firsts, seconds) = (await product.RunningConfig(first, router), await product.RunningConfig(second, router));
            firsts.ShouldContain($"ip route 10.111.0.0/16 {NextHop}");
            firsts.ShouldNotContain($"ip route 10.112.0.0/16 {NextHop}");
            seconds.ShouldContain($"ip route 10.112.0.0/16 {NextHop}");
            seconds.ShouldNotContain($"ip route 10.111.0.0/16 {NextHop}");
        }
    }

    [Fact]
    public async Task A_rollout_stops_after_too_many_failures()
    {
        var customer = await product.Customer(2);
        var live = (await customer.Get("/v1/devices"))["items"]!.AsArray().Select(device => device!)
            .Single(device => Customer.Text(device, "name") == "r001");
        // No router has this address.
        var dead = await customer.Post("/v1/devices", new JsonObject
        {
            ["name"] = "a-dead-one", ["siteId"] = Customer.Text(live, "siteId"), ["address"] = "10.66.0.240", ["port"] = 22,
            ["platform"] = "frr",
            ["credentialId"] = Customer.Text(live, "credentialId"), ["hostKeySha256"] = Customer.Text(live, "hostKeySha256"),
        });
        var body = Customer.Routes("apply", "10.121.0.0/16", NextHop);
        body["targets"] = new JsonObject { ["deviceIds"] = new JsonArray(Customer.Text(dead, "id"), Customer.Text(live, "id")) };
        body["rollout"] = new JsonObject { ["batchSize"] = 1, ["maxFailures"] = 0 };

        var run = await customer.Run(body);

        Customer.Text(run, "state").ShouldBe("failed", $"{run}");
        Customer.Amount(run["charged"]).ShouldBe(0);
        var outcomes = (await customer.DevicesOf(run))
            .ToDictionary(device => Customer.Text(device, "name"), device => Customer.Text(device, "outcome"));
        (outcomes["a-dead-one"], outcomes["r001"]).ShouldBe(("unreachable", "not_started"));
        (await product.RunningConfig(customer, "r001")).ShouldNotContain($"ip route 10.121.0.0/16 {NextHop}");
    }

    private static async Task<List<string>> Addresses(Customer customer) =>
        [.. (await customer.Get("/v1/devices"))["items"]!.AsArray().Select(device => Customer.Text(device!, "address"))
            .Where(address => address != "10.66.0.240").Order(StringComparer.Ordinal)];
}
