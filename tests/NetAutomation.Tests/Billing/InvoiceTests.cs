using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using NetAutomation.Billing.Invoices;
using NetAutomation.Billing.Ledger;
using NetAutomation.Persistence;
using NetAutomation.Tests.Runs;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Billing;

public sealed class InvoiceTests(PostgresServer postgres)
{
    [Fact]
    public async Task An_issued_invoice_is_numbered_hashed_and_says_the_same_for_ever()
    {
        await using var books = await BooksFixture.Open(postgres);
        await books.Run();
        await books.AMonthPasses();
        var issued = await books.Issue();
        issued.Text("number").ShouldBe($"INV-{DateTime.UtcNow.Year}-000001");
        issued.Text("previousHash").ShouldBe("sha256:" + new string('0', 64));
        issued.Micros("total").ShouldBe(250_000);
        var id = issued.Text("id");
        var document = (await books.Customer.Call("GET", $"/v1/invoices/{id}/document")).Must(HttpStatusCode.OK).Text;
        issued.Text("hash").ShouldBe($"sha256:{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(document)))}");
        JsonElement.Parse(document).GetProperty("receipts").GetProperty("seq").GetInt64().ShouldBe(3);

        // The issued invoice does not change when its sources change.
        await books.Damage(
            "update billing.charge set amount_micros = amount_micros + 1, description = 'x'; update onboarding.tenant set name = 'other'");
        (await books.Invoice(id)).GetRawText().ShouldBe(issued.GetRawText());
        (await books.Issue(id)).GetRawText().ShouldBe(issued.GetRawText());
    }

    [Fact]
    public async Task Numbers_have_no_gaps_and_each_document_names_the_one_before()
    {
        await using var books = await BooksFixture.Open(postgres);
        var hash = "sha256:" + new string('0', 64);
        for (var i = 1; i <= 3; i++)
        {
            await books.Debit(1_000_000);
            for (var ago = 0; ago < 4 - i; ago++)
            {
                await books.AMonthPasses();
            }

            var issued = await books.Issue();
            issued.Text("number").ShouldEndWith($"-00000{i}");
            issued.Text("previousHash").ShouldBe(hash);
            hash = issued.Text("hash");
        }
    }

    [Fact]
    public async Task A_month_that_is_not_over_is_not_issued()
    {
        await using var books = await BooksFixture.Open(postgres);
        await books.Debit(1_000_000);
        var draft = await books.Draft();
        (await books.Staff.Call("POST", $"/operator/v1/invoices/{draft.Text("id")}:issue"))
            .Must(HttpStatusCode.Conflict).Problem.ShouldBe("invoice_fixed");
    }

    [Fact]
    public async Task Lines_are_rounded_half_to_even_and_the_rest_is_accounted_for()
    {
        await using var books = await BooksFixture.Open(postgres);
        foreach (var micros in new[] { 5_000, 15_000, 25_000, 25_001, 1, 4_999 })
        {
            (await books.Debit(micros)).Must(HttpStatusCode.Created);
        }

        await books.AMonthPasses();
        var issued = await books.Issue();
        issued.GetProperty("lines").EnumerateArray().Select(line => line.Micros("amount")).Order()
            .ShouldBe([0, 0, 0, 20_000, 20_000, 30_000]);
        (issued.Micros("exact"), issued.Micros("rounding"), issued.Micros("total")).ShouldBe((75_001, -5_001, 70_000));
    }

    [Fact]
    public async Task A_void_invoice_stays_readable_and_its_charges_are_billed_once_more()
    {
        await using var books = await BooksFixture.Open(postgres);
        await books.Run();
        await books.AMonthPasses();
        var first = await books.Issue();
        (await books.Void(first.Text("id"))).Must(HttpStatusCode.OK);
        (await books.Void(first.Text("id"))).Must(HttpStatusCode.OK);
        var draft = await books.Draft();
        (draft.GetProperty("revision").GetInt32(), draft.Text("replaces"), draft.Micros("total"))
            .ShouldBe((2, first.Text("number"), 250_000));
        var second = await books.Issue();
        second.Text("number").ShouldEndWith("-000002");
        second.Text("previousHash").ShouldBe(first.Text("hash"));
        second.GetProperty("lines").GetRawText().ShouldBe(first.GetProperty("lines").GetRawText());
        var old = await books.Invoice(first.Text("id"));
        (old.Text("state"), old.Text("hash"), old.Text("voidReason"), old.Micros("total"))
            .ShouldBe(("void", first.Text("hash"), "sample", 250_000));
        (await books.Fixture.Scalar<long>("select count(*) from billing.invoice_line where live")).ShouldBe(2);
    }

    [Fact]
    public async Task A_paid_invoice_is_not_voided_and_never_overpaid()
    {
        await using var books = await BooksFixture.Open(postgres);
        await books.Debit(10_000_000);
        await books.AMonthPasses();
        var id = (await books.Issue()).Text("id");
        (await books.Pay(id, 10_010_000, "wire 1")).Must(HttpStatusCode.Conflict);
        (await books.Pay(id, 4_000_000, "wire 1")).Must(HttpStatusCode.OK);
        (await books.Pay(id, 4_000_000, "wire 1")).Must(HttpStatusCode.OK).Json.GetProperty("invoice").Micros("paid").ShouldBe(4_000_000);
        (await books.Pay(id, 5_000_000, "wire 1")).Must(HttpStatusCode.Conflict);
        (await books.Pay(id, 6_000_001, "wire 2")).Must(HttpStatusCode.Conflict);
        (await books.Void(id)).Must(HttpStatusCode.Conflict);
        (await books.Pay(id, 6_000_000, "wire 2")).Must(HttpStatusCode.OK).Json.GetProperty("invoice").Micros("paid").ShouldBe(10_000_000);
    }

    [Fact]
    public async Task An_overdue_tenant_starts_and_buys_nothing_until_it_has_paid()
    {
        await using var books = await BooksFixture.Open(postgres);
        await books.Fixture.StartRun();
        await books.Debit(10_000_000);
        await books.AMonthPasses();
        var issued = await books.Issue();
        await books.Fixture.StartRun(books.Fixture.Apply("10.8.0.0/16"));
        await books.Damage("update billing.invoice set due_at = now() - interval '14 days 1 minute' where state = 'issued'");

        var refused = await RunFixture.Post(books.Customer, "/v1/runs", books.Fixture.Apply("10.7.0.0/16"), null, 402);
        refused["type"]!.GetValue<string>().ShouldBe("/problems/payment_overdue");
        refused["owed"]!["amount"]!.GetValue<string>().ShouldBe("10.000000");
        refused["invoice"]!.GetValue<string>().ShouldBe(issued.Text("number"));
        await RunFixture.Post(books.Customer, "/v1/purchases", new { block = "config-backup", kind = "rental", months = 1 }, null, 402);
        // An accepted run continues.
        await books.Fixture.Work((await books.Fixture.Claim())!);

        (await books.Pay(issued.Text("id"), 9_990_000, "wire 1")).Must(HttpStatusCode.OK);
        await RunFixture.Post(books.Customer, "/v1/runs", books.Fixture.Apply("10.7.0.0/16"), null, 402);
        (await books.Pay(issued.Text("id"), 10_000, "wire 2")).Must(HttpStatusCode.OK);
        await RunFixture.Post(books.Customer, "/v1/runs", books.Fixture.Apply("10.7.0.0/16"), null, 202);
    }

    [Fact]
    public async Task The_page_escapes_everything_and_loads_nothing()
    {
        await using var books = await BooksFixture.Open(postgres);
        await books.Damage("update onboarding.tenant set name = '<script>alert(1)</script> & \"co\"'");
        await books.Adjust(
            new
            {
                tenantId = books.Tenant, kind = "debit", document = BooksFixture.Key(), reason = "<img src=x onerror=alert(1)>",
                amount = BooksFixture.Money(1_250_000)
            });
        using var answer = await books.Customer.GetAsync($"/v1/invoices/{(await books.Draft()).Text("id")}/html");
        var page = await answer.Content.ReadAsStringAsync();
        answer.Content.Headers.ContentType!.MediaType.ShouldBe("text/html");
        page.ShouldContain("&lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;co&quot;");
        page.ShouldContain("&lt;img src=x onerror=alert(1)&gt;");
        page.ShouldNotContain("<script", Case.Insensitive);
        page.ShouldNotContain("<img", Case.Insensitive);
        page.ShouldNotContain("http", Case.Insensitive);
        page.ShouldContain("Draft");
        page.ShouldContain(">1.25</td>");
        var policy = answer.Headers.GetValues("Content-Security-Policy").Single();
        policy.ShouldContain("default-src 'none'");
        var style = page.Split("<style>")[1].Split("</style>")[0];
        policy.ShouldContain(Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(style))));
    }

    [Fact]
    public async Task A_statement_is_closed_with_its_month_and_never_payable()
    {
        await using var books = await BooksFixture.Open(postgres, direct: false);
        await books.Run();
        await books.AMonthPasses();
        var draft = (await books.Draft()).Text("id");
        var refused = (await books.Staff.Call("POST", $"/operator/v1/invoices/{draft}:issue")).Must(HttpStatusCode.Conflict);
        refused.Json.GetProperty("findings").EnumerateArray().Select(row => row.Text("check")).Distinct().ShouldBe(["charge_unbilled"]);
        await books.Meter();
        var issued = await books.Issue();
        issued.Text("number").ShouldStartWith("STM-");
        (issued.GetProperty("payable").GetBoolean(), issued.GetProperty("dueAt").ValueKind, issued.Micros("total"))
            .ShouldBe((false, JsonValueKind.Null, 250_000));
        (await books.Pay(issued.Text("id"), 250_000, "wire 1")).Must(HttpStatusCode.Conflict);
        (await books.Void(issued.Text("id"))).Must(HttpStatusCode.Conflict);
    }

    [Fact]
    public async Task A_correction_beside_its_charge_opens_no_empty_month()
    {
        await using var books = await BooksFixture.Open(postgres);
        await books.Run();
        await books.AMonthPasses();
        (await books.Reverse((await books.Charges())[0].Text("id"))).Must(HttpStatusCode.Created);
        (await books.Invoices()).Count.ShouldBe(1);
    }

    [Fact]
    public async Task A_draft_without_lines_is_not_issued_and_an_issued_one_adds_up()
    {
        await using var books = await BooksFixture.Open(postgres);
        await books.Debit(1_000_000);
        await books.AMonthPasses();
        await books.Damage("delete from billing.invoice_line; delete from billing.charge; delete from billing.adjustment");
        var draft = (await books.Draft()).Text("id");
        (await books.Staff.Call("POST", $"/operator/v1/invoices/{draft}:issue"))
            .Must(HttpStatusCode.Conflict).Problem.ShouldBe("invoice_fixed");
        (await books.Staff.Call("POST", $"/operator/v1/billing-periods/{BooksFixture.PastMonth:yyyy-MM}:close"))
            .Must(HttpStatusCode.OK);
        (await books.Invoice(draft)).Text("state").ShouldBe("draft");

        // The draft is issued as an earlier version of the service did it.
        await using var scope = books.Fixture.Host.Services.CreateAsyncScope();
        (await scope.ServiceProvider.GetRequiredService<IssueInvoices>()
            .Issue(books.Fixture.Tenant.Id, InvoiceId.Parse(draft), "test", default)).ShouldNotBeNull();
        (await books.Staff.Call("POST", "/operator/v1/reconciliation:run")).Must(HttpStatusCode.OK).Json.GetProperty("parked").GetInt64()
            .ShouldBe(0);
    }

    [Fact]
    public async Task A_charge_of_a_month_that_was_issued_meanwhile_stands_on_the_running_one()
    {
        await using var books = await BooksFixture.Open(postgres);
        await books.Debit(1_000_000);
        await books.AMonthPasses();
        await books.Issue();
        await books.Damage("delete from billing.invoice_line");
        await using var scope = books.Fixture.Host.Services.CreateAsyncScope();
        var charge = await books.Fixture.Scalar<Guid>("select id from billing.charge");
        var db = scope.ServiceProvider.GetRequiredService<SystemDb>();
        await using (var transaction = await db.Database.BeginTransactionAsync())
        {
            await InvoiceDraft.Add(db, books.Fixture.Tenant.Id, [charge], "direct", default);
            await transaction.CommitAsync();
        }

        var draft = await books.Draft();
        (draft.Text("periodStart"), draft.Micros("total")).ShouldBe(($"{DateTime.UtcNow:yyyy-MM}-01", 1_000_000));
    }

    [Fact]
    public async Task A_marketplace_charge_of_a_month_that_was_issued_meanwhile_is_on_the_next_statement()
    {
        await using var books = await BooksFixture.Open(postgres, direct: false);
        await RunFixture.Post(books.Customer, "/v1/purchases", new { block = "config-backup", kind = "rental", months = 1 }, null, 201);
        await books.AMonthPasses();
        await books.Meter();
        await books.Issue();
        await books.Fixture.Sql(
            """
            insert into billing.charge (tenant_id, id, purchase_id, sku, description, quantity, amount_micros, currency, price_version_id,
              channel, occurred_at)
            select tenant_id, gen_random_uuid(), purchase_id, sku, description, quantity, amount_micros, currency, price_version_id,
              channel, occurred_at - interval '1 second'
            from billing.charge
            """);
        (await books.Fixture.Scalar<long>("select count(*) from billing.charge where occurred_at > now() - interval '1 minute'"))
            .ShouldBe(1);
        (await books.Fixture.Scalar<long>(
            """
            select count(*) from billing.metering_backlog b
            join billing.charge c on c.id = b.charge_id and c.occurred_hour = b.occurred_hour
            where c.occurred_at > now() - interval '1 minute'
            """)).ShouldBe(1);
    }

    [Fact]
    public async Task An_amount_that_credit_notes_reversed_is_no_longer_owed()
    {
        await using var books = await BooksFixture.Open(postgres);
        await books.Run();
        await books.AMonthPasses();
        var first = (await books.Issue()).Text("id");
        await books.Damage("update billing.invoice set due_at = now() - interval '15 days' where state = 'issued'");
        var charges = (await books.Charges()).Where(charge => charge.Micros("amount") > 0).ToList();
        (await books.Reverse(charges.Single(charge => charge.Micros("amount") == 150_000).Text("id"))).Must(HttpStatusCode.Created);
        (await Owed(books)).ShouldBe(100_000);
        (await books.Reverse(charges.Single(charge => charge.Micros("amount") == 100_000).Text("id"))).Must(HttpStatusCode.Created);
        (await Owed(books)).ShouldBe(0);

        // The invoice that carries the credit notes does not subtract them again: its other charges are owed when they are due.
        await books.Debit(70_000);
        await books.Damage(
            """
            update billing.invoice set period = daterange((lower(period) - interval '1 month')::date, lower(period)) where state = 'issued'
            """);
        await books.AMonthPasses();
        (await books.Issue()).Micros("total").ShouldBe(-180_000);
        (await Owed(books)).ShouldBe(0);
        await books.Damage("update billing.invoice set due_at = now() - interval '15 days' where state = 'issued'");
        (await Owed(books)).ShouldBe(70_000);
        (await books.Pay(first, 70_000, "wire 1")).Must(HttpStatusCode.OK);
        (await Owed(books)).ShouldBe(0);
    }

    private static Task<long> Owed(BooksFixture books) =>
        books.Fixture.Scalar<long>($"select coalesce((select owed from billing.overdue('{books.Fixture.Tenant.Id.Value}', now())), 0)");
}
