using System.Net;
using System.Text.Json;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Billing;

public sealed class AdjustmentTests(PostgresServer postgres)
{
    [Fact]
    public async Task A_reversal_in_the_same_month_nets_out_and_takes_the_usage_back()
    {
        await using var books = await BooksFixture.Open(postgres);
        var run = await books.Run();
        var device = (await books.Charges($"&runId={run}")).Single(charge => charge.Text("sku") == "static-routes/apply/device");
        var reversal = (await books.Reverse(device.Text("id"))).Must(HttpStatusCode.Created).Json;
        (reversal.Micros("amount"), reversal.GetProperty("creditNote").ValueKind).ShouldBe((-150_000, JsonValueKind.Null));
        var draft = await books.Draft();
        var line = draft.GetProperty("lines").EnumerateArray().Single(each => each.Text("sku") == "static-routes/apply/device");
        (line.GetProperty("quantity").GetInt64(), line.Micros("amount"), draft.Micros("total")).ShouldBe((0, 0, 100_000));
        (await books.Fixture.Scalar<long>("select sum(quantity)::bigint from billing.usage_event where meter = 'device'")).ShouldBe(0);
        (await books.Fixture.Scalar<long>("select count(*) from billing.usage_event where reverses is not null")).ShouldBe(3);
        (await books.Fixture.Scalar<long>("select sum(quantity)::bigint from billing.usage_event where meter = 'run'")).ShouldBe(1);
        (await books.Reverse(device.Text("id"))).Must(HttpStatusCode.Conflict).Problem.ShouldBe("already_reversed");
    }

    [Fact]
    public async Task A_reversal_after_the_issue_is_a_credit_note_that_names_the_invoice()
    {
        await using var books = await BooksFixture.Open(postgres);
        await books.Run();
        await books.AMonthPasses();
        var issued = await books.Issue();
        var charges = await books.Charges();
        var notes = new List<string>();
        foreach (var charge in charges)
        {
            var reversal = (await books.Reverse(charge.Text("id"))).Must(HttpStatusCode.Created).Json;
            reversal.Text("credits").ShouldBe(issued.Text("number"));
            notes.Add(reversal.Text("creditNote"));
        }

        notes.ShouldBe([$"CN-{DateTime.UtcNow.Year}-000001", $"CN-{DateTime.UtcNow.Year}-000002"]);
        var draft = await books.Draft();
        draft.Text("id").ShouldNotBe(issued.Text("id"));
        draft.Micros("total").ShouldBe(-250_000);
        foreach (var line in draft.GetProperty("lines").EnumerateArray())
        {
            (line.Text("type"), line.Text("credits")).ShouldBe(("credit_note", issued.Text("number")));
            notes.ShouldContain(line.Text("creditNote"));
        }

        (await books.Invoice(issued.Text("id"))).Micros("total").ShouldBe(250_000);
    }

    [Fact]
    public async Task A_reversal_in_the_grace_period_nets_out_in_the_month_that_is_still_open()
    {
        await using var books = await BooksFixture.Open(postgres);
        await books.Run();
        await books.AMonthPasses();
        await books.Debit(1_000_000);
        foreach (var charge in (await books.Charges()).Where(charge => charge.Text("sku") != "debit"))
        {
            (await books.Reverse(charge.Text("id"))).Must(HttpStatusCode.Created);
        }

        (await books.Invoices()).Select(invoice => invoice.Micros("total")).ShouldBe([1_000_000, 0]);
    }

    [Fact]
    public async Task The_same_document_key_is_the_same_correction()
    {
        await using var books = await BooksFixture.Open(postgres);
        await books.Run();
        var body =
            new
            {
                tenantId = books.Tenant, kind = "credit", document = "TICKET-1", reason = "sample", amount = BooksFixture.Money(100_000)
            };
        var first = (await books.Adjust(body)).Must(HttpStatusCode.Created);
        (await books.Adjust(body)).Must(HttpStatusCode.OK).Id.ShouldBe(first.Id);
        (await books.Adjust(body with { amount = BooksFixture.Money(100_001) }))
            .Must(HttpStatusCode.Conflict).Problem.ShouldBe("document_used");
        (await books.Draft()).Micros("total").ShouldBe(150_000);
    }

    [Fact]
    public async Task Never_more_is_given_back_than_was_charged()
    {
        await using var books = await BooksFixture.Open(postgres);
        await books.Run();
        (await books.Credit(250_001)).Must(HttpStatusCode.UnprocessableEntity).Faults.ShouldBe(["/amount out_of_range"]);
        var answers = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => books.Credit(100_000)));
        answers.Count(answer => answer.Status == HttpStatusCode.Created).ShouldBe(2);
        (await books.Credit(50_000)).Must(HttpStatusCode.Created);
        var charge = (await books.Charges()).First(each => each.Micros("amount") > 0).Text("id");
        (await books.Reverse(charge)).Must(HttpStatusCode.UnprocessableEntity).Faults.ShouldBe(["/chargeId out_of_range"]);
        (await books.Draft()).Micros("total").ShouldBe(0);
    }

    [Fact]
    public async Task A_marketplace_correction_is_a_negative_charge_that_is_not_metered_yet()
    {
        await using var books = await BooksFixture.Open(postgres, direct: false);
        await books.Run();
        var charge = (await books.Charges())[0].Text("id");
        var reversal = (await books.Reverse(charge)).Must(HttpStatusCode.Created).Json;
        reversal.Text("channel").ShouldBe("marketplace");
        (await books.Fixture.Scalar<long>("select count(*) from billing.charge where amount_micros < 0 and channel = 'marketplace'"))
            .ShouldBe(1);
        (await books.Draft()).Text("kind").ShouldBe("statement");
    }

    [Fact]
    public async Task A_reference_to_nothing_is_refused_by_pointer()
    {
        await using var books = await BooksFixture.Open(postgres);
        await books.Run();
        var other =
            new
            {
                tenantId = books.Tenant, kind = "reversal", document = BooksFixture.Key(), reason = "sample",
                chargeId = "chg_00000000000000000000000007"
            };
        (await books.Adjust(other)).Must(HttpStatusCode.UnprocessableEntity).Faults.ShouldBe(["/chargeId unknown_charge"]);
        (await books.Adjust(other with { kind = "credit" }))
            .Must(HttpStatusCode.UnprocessableEntity).Faults.ShouldBe(["/chargeId not_allowed", "/amount out_of_range"]);
        (await books.Adjust(other with { tenantId = "x" }))
            .Must(HttpStatusCode.UnprocessableEntity).Faults.ShouldBe(["/tenantId unknown_tenant"]);
        var credit = (await books.Credit(1_000)).Must(HttpStatusCode.Created).Json.Text("chargeId");
        (await books.Reverse(credit)).Must(HttpStatusCode.UnprocessableEntity).Faults.ShouldBe(["/chargeId unknown_charge"]);
    }

    [Fact]
    public async Task Taking_back_a_whole_line_gives_back_what_was_billed_for_it()
    {
        await using var books = await BooksFixture.Open(postgres);
        (await books.Staff.Call(
            "POST", "/operator/v1/prices",
            new { sku = "static-routes/apply/run", unitPrice = BooksFixture.Money(6_000), tenantId = books.Tenant, freePerMonth = 0 }))
                .Must(HttpStatusCode.Created);
        for (var i = 0; i < 3; i++)
        {
            await books.Run();
        }

        await books.Debit(6_000);
        await books.Debit(6_000);
        await books.AMonthPasses();
        var issued = await books.Issue();
        issued.Micros("total").ShouldBe(490_000);
        foreach (var charge in await books.Charges())
        {
            (await books.Reverse(charge.Text("id"))).Must(HttpStatusCode.Created);
        }

        var draft = await books.Draft();
        draft.Micros("total").ShouldBe(-490_000);
        var runs = draft.GetProperty("lines").EnumerateArray().Single(line => line.Text("sku") == "static-routes/apply/run");
        (runs.Micros("amount"), runs.Micros("exact"), runs.GetProperty("charges").GetInt64(), runs.Text("creditNote").Split(", ").Length)
            .ShouldBe((-20_000, -18_000, 3, 3));
        (await books.Fixture.Scalar<long>($"select count(*) from billing.overdue('{books.Fixture.Tenant.Id.Value}', 'infinity')"))
            .ShouldBe(0);
    }
}
