using System.Globalization;
using System.Net;
using Microsoft.VisualBasic.FileIO;
using NetAutomation.Runs;
using NetAutomation.Tests.Runs;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Billing;

public sealed class FocusTests(PostgresServer postgres)
{
    /// <summary>Random months of one tenant; <c>NETAUTOMATION_SEED</c> repeats one.</summary>
    [Fact]
    public async Task The_bill_of_a_number_is_exactly_that_invoice()
    {
        var seed = Environment.GetEnvironmentVariable("NETAUTOMATION_SEED") is { } given
            ? int.Parse(given, CultureInfo.InvariantCulture) : Random.Shared.Next();
        var random = new Random(seed);
        await using var books = await BooksFixture.Open(postgres);
        var totals = new Dictionary<string, long>();
        const int months = 3;
        for (var month = 1; month <= months; month++)
        {
            await PlayMonth(books, random, month);
            for (var ago = months - month; ago >= 0; ago--)
            {
                await books.AMonthPasses();
            }

            var issued = await books.Issue();
            if (random.Next(2) == 0)
            {
                (await books.Void(issued.Text("id"))).Must(HttpStatusCode.OK);
                issued = await books.Issue();
            }

            totals.Add(issued.Text("number"), issued.Micros("total"));
        }

        await books.Run();
        var rows = new List<Dictionary<string, string>>();
        // A month passes twice as fast as the calendar's (AMonthPasses).
        for (var ago = 0; ago <= 2 * months; ago++)
        {
            rows.AddRange(await Export(books, DateTime.UtcNow.AddMonths(-ago)));
        }

        var billed = rows.GroupBy(row => row["InvoiceId"])
            .ToDictionary(each => each.Key, each => each.Sum(row => Micros(row["BilledCost"])));
        billed.Remove("").ShouldBeTrue($"seed {seed}: the running month has no number yet");
        billed.ShouldBe(totals, ignoreOrder: true, $"seed {seed}");
        foreach (var row in rows)
        {
            row["ChargeCategory"].ShouldBeOneOf("Usage", "Purchase", "Credit", "Adjustment");
            if (row["ChargeCategory"] is "Usage" or "Purchase" && row["ChargeClass"].Length == 0)
            {
                (Micros(row["ContractedUnitPrice"]) * long.Parse(row["PricingQuantity"], CultureInfo.InvariantCulture))
                    .ShouldBe(Micros(row["ContractedCost"]), $"seed {seed}");
                row["SkuPriceId"].ShouldStartWith("pri_");
            }
        }
    }

    [Fact]
    public async Task Rows_name_device_price_run_and_the_corrected_charge()
    {
        await using var books = await BooksFixture.Open(postgres);
        var run = await books.Run(DeviceOutcome.Changed, DeviceOutcome.Failed, DeviceOutcome.Ok);
        await RunFixture.Post(books.Customer, "/v1/purchases", new { block = "config-backup", kind = "rental", months = 2 }, null, 201);
        await books.AMonthPasses();
        var issued = await books.Issue();
        foreach (var charge in await books.Charges($"&runId={run}"))
        {
            (await books.Reverse(charge.Text("id"))).Must(HttpStatusCode.Created);
        }

        var sold = await Export(books, BooksFixture.PastMonth);
        sold.Select(row => row["ChargeCategory"]).Order().ShouldBe(["Purchase", "Usage", "Usage", "Usage"]);
        var devices = sold.Where(row => row["SkuMeter"] == "device").ToList();
        devices.Select(row => row["ResourceId"]).Order()
            .ShouldBe(new[] { books.Fixture.Devices[0].ToString(), books.Fixture.Devices[2].ToString() }.Order());
        devices.ShouldAllBe(
            row => row["BilledCost"] == "0.050000" && row["PricingQuantity"] == "1" && row["PricingUnit"] == "Devices"
                && row["ConsumedQuantity"] == "1");
        devices.ShouldAllBe(
            row => row["InvoiceId"] == issued.Text("number") && row["x_RunId"] == run.ToString()
                && row["ChargeFrequency"] == "Usage-Based");
        devices[0]["Tags"].ShouldBe("""{"netautomation:block": "static-routes"}""");
        var rental = sold.Single(row => row["ChargeCategory"] == "Purchase");
        (rental["ChargeFrequency"], rental["PricingQuantity"], rental["PricingUnit"], rental["BilledCost"])
            .ShouldBe(("Recurring", "2", "Months", "38.000000"));

        var taken = await Export(books, DateTime.UtcNow);
        taken.Count.ShouldBe(3);
        taken.ShouldAllBe(
            row => row["ChargeClass"] == "Correction" && row["ChargeCategory"] == "Usage" && row["x_Credits"] == issued.Text("number")
                && row["InvoiceId"] == "");
        taken.Sum(row => Micros(row["BilledCost"])).ShouldBe(-200_000);
        taken.Where(row => row["SkuMeter"] == "device").Select(row => row["ResourceId"]).Order()
            .ShouldBe(devices.Select(row => row["ResourceId"]).Order());
    }

    [Fact]
    public async Task No_text_is_taken_for_a_formula_and_every_field_survives()
    {
        await using var books = await BooksFixture.Open(postgres);
        await books.Run();
        await books.Damage("update runs.run_device set name = '@SUM(1,2)'");
        const string reason = "=HYPERLINK(\"http://x\"),\"y\"\r\nnext line";
        (await books.Adjust(new { tenantId = books.Tenant, kind = "debit", document = "d", reason, amount = BooksFixture.Money(1) }))
            .Must(HttpStatusCode.Created);
        (await books.Credit(7)).Must(HttpStatusCode.Created);
        var rows = await Export(books, DateTime.UtcNow);
        rows.Single(row => row["ChargeCategory"] == "Adjustment")["ChargeDescription"].ShouldBe($"'{reason}");
        rows.Where(row => row["ResourceName"].Length > 0).ShouldAllBe(row => row["ResourceName"] == "'@SUM(1,2)");
        rows.Single(row => row["ChargeCategory"] == "Credit")["BilledCost"].ShouldBe("-0.000007");
        (await books.Customer.Call("GET", "/v1/usage/focus.csv?month=2026-13"))
            .Must(HttpStatusCode.UnprocessableEntity).Faults.ShouldBe(["/month month"]);
        (await books.Customer.Call("GET", "/v1/usage/focus.csv")).Must(HttpStatusCode.OK).Text.ShouldContain("-0.000007");
    }

    [Fact]
    public async Task A_marketplace_month_is_exported_without_invoice()
    {
        await using var books = await BooksFixture.Open(postgres, direct: false);
        await books.Run();
        var rows = await Export(books, DateTime.UtcNow);
        rows.Count.ShouldBe(4);
        rows.ShouldAllBe(row => row["InvoiceIssuerName"] == "AWS Marketplace" && row["InvoiceId"] == "");
        rows.Sum(row => Micros(row["BilledCost"])).ShouldBe(250_000);
    }

    private static async Task PlayMonth(BooksFixture books, Random random, int month)
    {
        for (var i = random.Next(1, 4); i > 0; i--)
        {
            await books.Run([.. Enumerable.Range(0, 3).Select(_ => random.Next(3) == 0 ? DeviceOutcome.Failed : DeviceOutcome.Changed)]);
        }

        await books.Debit(random.Next(1, 3_000_000));
        if (month == 1)
        {
            await RunFixture.Post(
                books.Customer, "/v1/purchases", new { block = "config-backup", kind = "rental", months = random.Next(1, 4) }, null, 201);
        }

        if (random.Next(2) == 0)
        {
            await books.Credit(random.Next(1, 100_000));
        }

        // Charges of this month and of issued months.
        foreach (var charge in (await books.Charges()).Where(_ => random.Next(4) == 0))
        {
            await books.Reverse(charge.Text("id"));
        }
    }

    /// <summary>Reads the file with an independent parser.</summary>
    private static async Task<List<Dictionary<string, string>>> Export(BooksFixture books, DateTime month)
    {
        var text = (await books.Customer.Call("GET", $"/v1/usage/focus.csv?month={month:yyyy-MM}")).Must(HttpStatusCode.OK).Text;
        using var parser = new TextFieldParser(new StringReader(text)) { HasFieldsEnclosedInQuotes = true, TrimWhiteSpace = false };
        parser.SetDelimiters(",");
        var header = parser.ReadFields()!;
        header[0].ShouldBe("BilledCost");
        var rows = new List<Dictionary<string, string>>();
        while (parser.ReadFields() is { } fields)
        {
            fields.Length.ShouldBe(header.Length);
            rows.Add(header.Zip(fields).ToDictionary(each => each.First, each => each.Second));
        }

        return rows;
    }

    private static long Micros(string amount) => Money.Read(amount)!.Value.Micros;

    [Fact]
    public async Task A_run_of_very_many_devices_is_taken_apart_in_time()
    {
        await using var books = await BooksFixture.Open(postgres);
        await books.Run();
        await books.Damage(
            """
            insert into billing.receipt
            select (jsonb_populate_record(null::billing.receipt, to_jsonb(r) || jsonb_build_object(
              'seq', r.seq + n, 'device_id', gen_random_uuid(), 'hash', '\x' || encode(sha256(n::text::bytea), 'hex')))).*
            from (select * from billing.receipt order by seq desc limit 1) r, generate_series(1, 20000) n;
            update billing.charge set amount_micros = (select sum(price_micros) from billing.receipt) where sku like '%/device'
            """);
        (await books.Fixture.Scalar<long>("set statement_timeout = '10s'; select count(device_id) from billing.charge_part"))
            .ShouldBe(20_003);
    }
}
