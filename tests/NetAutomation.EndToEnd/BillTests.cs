using System.Text.Json.Nodes;

namespace NetAutomation.EndToEnd;

public sealed class BillTests(LocalProduct product)
{
    [Fact]
    public async Task Invoice_is_the_sum_of_its_lines_and_holds_what_the_run_charged()
    {
        var customer = await product.Customer(2);
        var before = Customer.Amount((await Month(customer))?["total"] ?? new JsonObject { ["amount"] = "0" });

        var run =
            await customer.Run(
                new()
                {
                    ["block"] = "config-backup", ["targets"] = new JsonObject { ["selector"] = "site=lab" },
                    ["input"] = new JsonObject()
                });

        Customer.Text(run, "state").ShouldBe("succeeded", $"{run}");
        var charged = Customer.Amount(run["charged"]);
        charged.ShouldBe(0.02m + (LocalProduct.RouterNames.Count * 0.01m));
        var invoice = (await Month(customer))!;
        Customer.Amount(invoice["total"]).ShouldBeGreaterThanOrEqualTo(before + charged);
        Customer.Amount(invoice["total"]).ShouldBe(invoice["lines"]!.AsArray().Sum(line => Customer.Amount(line!["amount"])));
        var metered = (await customer.Get("/v1/usage?limit=200"))["items"]!.AsArray()
            .Where(usage => Customer.Text(usage!, "runId") == Customer.Text(run, "id"));
        metered.Count(usage => Customer.Text(usage!, "meter") == "device").ShouldBe(LocalProduct.RouterNames.Count);
    }

    private static async Task<JsonNode?> Month(Customer customer) =>
        (await customer.Get("/v1/invoices"))["items"]!.AsArray() is [var month, ..] ? month : null;
}
