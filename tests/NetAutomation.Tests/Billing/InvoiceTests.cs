using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using NetAutomation.Tests.Runs;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Billing;

public sealed class InvoiceTests(PostgresServer postgres)
{
    [Fact]
    public async Task An_issued_invoice_is_numbered_hashed_and_says_the_same_for_ever()
    {
        await using var books = await BooksGround.Open(postgres);
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

        // Whatever happens to what it was made of.
        await books.Damage("update billing.charge set amount_micros = amount_micros + 1, description = 'x'; update onboarding.tenant set name = 'other'");
        (await books.Invoice(id)).GetRawText().ShouldBe(issued.GetRawText());
        (await books.Issue(id)).GetRawText().ShouldBe(issued.GetRawText());
    }

    [Fact]
    public async Task Numbers_have_no_gaps_and_each_document_names_the_one_before()
    {
        await using var books = await BooksGround.Open(postgres);
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
        await using var books = await BooksGround.Open(postgres);
        await books.Debit(1_000_000);
        var draft = await books.Draft();
        (await books.Staff.Call("POST", $"/operator/v1/invoices/{draft.Text("id")}:issue")).Must(HttpStatusCode.Conflict).Problem.ShouldBe("invoice_fixed");
    }

    [Fact]
    public async Task Lines_are_rounded_half_to_even_and_the_rest_is_accounted_for()
    {
        await using var books = await BooksGround.Open(postgres);
        foreach (var micros in new[] { 5_000, 15_000, 25_000, 25_001, 1, 4_999 })
        {
            (await books.Debit(micros)).Must(HttpStatusCode.Created);
        }

        await books.AMonthPasses();
        var issued = await books.Issue();
        issued.GetProperty("lines").EnumerateArray().Select(line => line.Micros("amount")).Order().ShouldBe([0, 0, 0, 20_000, 20_000, 30_000]);
        (issued.Micros("exact"), issued.Micros("rounding"), issued.Micros("total")).ShouldBe((75_001, -5_001, 70_000));
    }

    [Fact]
    public async Task A_void_invoice_stays_readable_and_its_charges_are_billed_once_more()
    {
        await using var books = await BooksGround.Open(postgres);
        await books.Run();
        await books.AMonthPasses();
        var first = await books.Issue();
        (await books.Void(first.Text("id"))).Must(HttpStatusCode.OK);
        (await books.Void(first.Text("id"))).Must(HttpStatusCode.OK);
        var draft = await books.Draft();
        (draft.GetProperty("revision").GetInt32(), draft.Text("replaces"), draft.Micros("total")).ShouldBe((2, first.Text("number"), 250_000));
        var second = await books.Issue();
        second.Text("number").ShouldEndWith("-000002");
        second.Text("previousHash").ShouldBe(first.Text("hash"));
        second.GetProperty("lines").GetRawText().ShouldBe(first.GetProperty("lines").GetRawText());
        var old = await books.Invoice(first.Text("id"));
        (old.Text("state"), old.Text("hash"), old.Text("voidReason"), old.Micros("total")).ShouldBe(("void", first.Text("hash"), "sample", 250_000));
        (await books.Ground.Scalar<long>("select count(*) from billing.invoice_line where live")).ShouldBe(2);
    }

    [Fact]
    public async Task A_paid_invoice_is_not_voided_and_never_overpaid()
    {
        await using var books = await BooksGround.Open(postgres);
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
        await using var books = await BooksGround.Open(postgres);
        await books.Ground.StartRun();
        await books.Debit(10_000_000);
        await books.AMonthPasses();
        var issued = await books.Issue();
        await books.Ground.StartRun(books.Ground.Apply("10.8.0.0/16"));
        await books.Damage("update billing.invoice set due_at = now() - interval '14 days 1 minute' where state = 'issued'");

        var refused = await RunGround.Post(books.Customer, "/v1/runs", books.Ground.Apply("10.7.0.0/16"), null, 402);
        refused["type"]!.GetValue<string>().ShouldBe("/problems/payment_overdue");
        refused["owed"]!["amount"]!.GetValue<string>().ShouldBe("10.000000");
        refused["invoice"]!.GetValue<string>().ShouldBe(issued.Text("number"));
        await RunGround.Post(books.Customer, "/v1/purchases", new { block = "config-backup", kind = "rental", months = 1 }, null, 402);
        // What was accepted goes on.
        await books.Ground.Work((await books.Ground.Claim())!);

        (await books.Pay(issued.Text("id"), 9_990_000, "wire 1")).Must(HttpStatusCode.OK);
        await RunGround.Post(books.Customer, "/v1/runs", books.Ground.Apply("10.7.0.0/16"), null, 402);
        (await books.Pay(issued.Text("id"), 10_000, "wire 2")).Must(HttpStatusCode.OK);
        await RunGround.Post(books.Customer, "/v1/runs", books.Ground.Apply("10.7.0.0/16"), null, 202);
    }

    [Fact]
    public async Task The_page_escapes_everything_and_loads_nothing()
    {
        await using var books = await BooksGround.Open(postgres);
        await books.Damage("update onboarding.tenant set name = '<script>alert(1)</script> & \"co\"'");
        await books.Adjust(new { tenantId = books.Tenant, kind = "debit", document = BooksGround.Key(), reason = "<img src=x onerror=alert(1)>", amount = BooksGround.Money(1_250_000) });
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
        await using var books = await BooksGround.Open(postgres, direct: false);
        await books.Run();
        await books.AMonthPasses();
        var draft = (await books.Draft()).Text("id");
        var refused = (await books.Staff.Call("POST", $"/operator/v1/invoices/{draft}:issue")).Must(HttpStatusCode.Conflict);
        refused.Json.GetProperty("findings").EnumerateArray().Select(row => row.Text("check")).Distinct().ShouldBe(["charge_unbilled"]);
        await books.Meter();
        var issued = await books.Issue();
        issued.Text("number").ShouldStartWith("STM-");
        (issued.GetProperty("payable").GetBoolean(), issued.GetProperty("dueAt").ValueKind, issued.Micros("total")).ShouldBe((false, JsonValueKind.Null, 250_000));
        (await books.Pay(issued.Text("id"), 250_000, "wire 1")).Must(HttpStatusCode.Conflict);
        (await books.Void(issued.Text("id"))).Must(HttpStatusCode.Conflict);
    }
}
