using System.Net;
using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using NetAutomation.Billing.Invoices;
using NetAutomation.Billing.Reconcile;
using NetAutomation.Persistence;
using NetAutomation.Tests.Runs;
using NetAutomation.Tests.Support;
using Npgsql;

namespace NetAutomation.Tests.Billing;

/// <summary>
/// Correct books: two finished runs and a rental on a void invoice and its second revision, a reversal, a debit, an open run.
/// </summary>
public sealed class CleanBooks(PostgresServer postgres) : IAsyncLifetime
{
    internal BooksFixture Books { get; private set; } = null!;

    public async ValueTask InitializeAsync() => Books = await Of(postgres);

    public ValueTask DisposeAsync() => Books.DisposeAsync();

    internal static async Task<BooksFixture> Of(PostgresServer postgres)
    {
        var books = await BooksFixture.Open(postgres);
        await books.Run();
        await RunFixture.Post(books.Customer, "/v1/purchases", new { block = "config-backup", kind = "rental", months = 1 }, null, 201);
        await books.AMonthPasses();
        await books.AMonthPasses();
        await books.Void((await books.Issue()).Text("id"));
        await books.Issue();
        await books.Run();
        var device = (await books.Charges())
            .First(charge => charge.Text("sku") == "static-routes/apply/device"
                && charge.GetProperty("invoice").ValueKind == JsonValueKind.Null);
        (await books.Reverse(device.Text("id"))).Must(HttpStatusCode.Created);
        await books.Debit(1_234_567);
        await books.Fixture.StartRun();
        (await books.Fixture.Claim()).ShouldNotBeNull();
        return books;
    }
}

public sealed class ReconciliationTests(CleanBooks clean, PostgresServer postgres) : IClassFixture<CleanBooks>
{
    private const string Record =
        """
        insert into billing.metering_record (tenant_id, id, payer_id, meter_key, aws_account, dimension, hour, seq, previous_hour,
          unit_micros, sum_micros, carry_in_micros, carry_out_micros, quantity)
        select tenant_id, gen_random_uuid(), id, meter_key, aws_account, 'sample', date_trunc('hour', now()),
        """;
    private const string Device =
        "(select reservation_id from billing.settlement where component = 'device' and amount_micros > 0 limit 1)";

    [Theory]
    [InlineData(
        "run_unsettled",
        "delete from billing.settlement where component = 'minute' and run_id = (select id from runs.run where terminal limit 1)")]
    [InlineData(
        "run_settled_early",
        """
        update runs.run
        set state = 'running', terminal = false, finished_at = null, final_seq = null, charged_micros = null,
          lease_until = now() + interval '1 hour'
        where id = (select id from runs.run where terminal limit 1)
        """)]
    [InlineData(
        "run_charged",
        "update runs.run set charged_micros = charged_micros - 1 where id = (select id from runs.run where terminal limit 1)")]
    [InlineData(
        "settlement_charge",
        $"""
        delete from billing.charge where reservation_id = {Device};
        delete from billing.invoice_line l
        where not exists (select from billing.charge c where c.id = l.charge_id) and l.live
          and exists (select from billing.invoice i where i.id = l.invoice_id and i.state = 'draft')
        """)]
    [InlineData(
        "usage_quantity",
        """
        delete from billing.usage_event
        where event_id = (select event_id from billing.usage_event where meter = 'device' and reverses is null
          and not exists (select from billing.usage_event r where r.reverses = usage_event.event_id) limit 1)
        """)]
    [InlineData(
        "usage_quantity",
        """
        insert into billing.usage_event (tenant_id, source, event_id, run_id, meter, device_id, quantity, block)
        select tenant_id, source, gen_random_uuid(), run_id, meter, gen_random_uuid(), 1, block from billing.usage_event
        where meter = 'device' and reverses is null limit 1
        """)]
    [InlineData("receipt_price", "update billing.receipt set price_micros = price_micros + 1 where seq = 2")]
    [InlineData(
        "reservation_stuck",
        """
        update billing.reservation set created_at = now() - interval '26 hours'
        where run_id = (select id from runs.run where state = 'claimed');
        update runs.run set lease_until = now() - interval '2 hours' where state = 'claimed'
        """)]
    [InlineData(
        "reservation_stuck",
        """
        update billing.reservation set created_at = now() - interval '26 hours'
        where run_id = (select id from runs.run where state = 'claimed');
        delete from runs.run where state = 'claimed'
        """)]
    [InlineData("receipt_chain", "update billing.receipt set previous_hash = decode(repeat('11', 32), 'hex') where seq = 3")]
    [InlineData("receipt_chain", "update billing.receipt set price_version_id = price_version_id, seq = 100 where seq = 3")]
    [InlineData("receipt_chain", "update billing.receipt_head set seq = seq - 1")]
    [InlineData(
        "charge_unbilled",
        """
        delete from billing.invoice_line l
        where l.live and exists (select from billing.invoice i where i.id = l.invoice_id and i.state = 'draft')
        """)]
    [InlineData(
        "charge_twice",
        """
        insert into billing.metering_allocation (tenant_id, charge_id, record_id, currency, amount_micros)
        select tenant_id, id, gen_random_uuid(), currency, amount_micros from billing.charge where channel = 'direct' limit 1
        """)]
    [InlineData("metering_sum", $"{Record} 1, null, 1000, 5, 0, 5, 0 from billing.payer")]
    [InlineData("metering_carry", $"{Record} 2, now() - interval '2 hours', 1000, 0, 3, 3, 0 from billing.payer")]
    [InlineData(
        "line_amount",
        """
        update billing.charge set amount_micros = amount_micros + 1 where purchase_id is not null;
        update purchasing.purchase set price_micros = price_micros + 1 where price_micros > 0
        """)]
    [InlineData(
        "adjustment_uncharged",
        """
        delete from billing.invoice_line l using billing.charge c where c.id = l.charge_id and c.sku = 'debit';
        delete from billing.charge where sku = 'debit'
        """)]
    [InlineData(
        "purchase_uncharged",
        "update billing.charge set adjustment_id = gen_random_uuid(), purchase_id = null where purchase_id is not null")]
    [InlineData("invoice_total", "delete from billing.invoice_line where not live")]
    [InlineData(
        "invoice_total",
        "update billing.invoice set total_micros = total_micros + 10000, rounding_micros = rounding_micros + 10000 where seq = 1")]
    [InlineData("invoice_chain", "update billing.invoice set previous_sha256 = decode(repeat('22', 32), 'hex') where seq = 2")]
    [InlineData(
        "invoice_chain",
        """
        delete from billing.invoice_line l where l.invoice_id = (select id from billing.invoice where seq = 1);
        delete from billing.invoice where seq = 1
        """)]
    public async Task Each_damage_is_found_by_its_check_alone_and_parks_the_invoicing(string check, string damage)
    {
        // Runs as the schema's owner, without triggers and foreign keys, and is rolled back at the end.
        await using var source = NpgsqlDataSource.Create(clean.Books.Fixture.Database.Owner);
        await using var connection = await source.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        (await Parked(connection)).ShouldBeEmpty();
        await using (
            var command =
                new NpgsqlCommand(
                    $"set local session_replication_role = replica; {damage}; set local session_replication_role = origin", connection))
        {
            (await command.ExecuteNonQueryAsync()).ShouldBeGreaterThan(0);
        }

        (await Parked(connection)).ShouldBe([check]);
    }

    [Fact]
    public async Task A_repaired_invoice_is_unparked_and_issued()
    {
        await using var books = await CleanBooks.Of(postgres);
        await books.AMonthPasses();
        await books.Damage("update runs.run set charged_micros = charged_micros - 1 where terminal");
        await Hour(books);
        var draft = (await books.Draft()).Text("id");
        var refused = (await books.Staff.Call("POST", $"/operator/v1/invoices/{draft}:issue")).Must(HttpStatusCode.Conflict);
        (refused.Problem, refused.Json.GetProperty("findings")[0].Text("check")).ShouldBe(("not_reconciled", "run_charged"));
        // The customer sees nothing of it, and its runs continue.
        await books.Fixture.StartRun(books.Fixture.Apply("10.1.0.0/16"));
        var page = (await books.Staff.Call("GET", "/operator/v1/reconciliation/html")).Must(HttpStatusCode.OK).Text;
        page.ShouldContain("run_charged");
        page.ShouldContain("1 parked");
        await books.Damage("update runs.run set charged_micros = charged_micros + 1 where terminal");
        await Hour(books);
        var view = (await books.Staff.Call("GET", "/operator/v1/reconciliation")).Must(HttpStatusCode.OK).Json;
        (view.GetProperty("parked").GetInt64(), view.GetProperty("findings").GetArrayLength()).ShouldBe((0, 0));
        (await books.Invoice(draft)).Text("state").ShouldBe("issued");
    }

    [Fact]
    public async Task A_month_is_closed_for_tenants_with_correct_books_and_names_the_findings_of_the_others()
    {
        await using var books = await BooksFixture.Open(postgres);
        var other = await books.Fixture.Host.CreateTenant();
        (await books.Staff.Call("PATCH", $"/operator/v1/agreements/{other.Agreement}", new { channel = "direct" }, "*"))
            .Must(HttpStatusCode.OK);
        await books.Adjust(
            new
            {
                tenantId = other.Id.ToString(), kind = "debit", document = "one", reason = "sample",
                amount = BooksFixture.Money(1_000_000)
            });
        await books.Run();
        await books.AMonthPasses();
        var month = BooksFixture.PastMonth.ToString("yyyy-MM");
        (await books.Staff.Call("POST", $"/operator/v1/billing-periods/{DateTime.UtcNow:yyyy-MM}:close"))
            .Must(HttpStatusCode.Conflict).Problem.ShouldBe("invoice_fixed");
        (await books.Staff.Call("POST", "/operator/v1/billing-periods/x:close")).Must(HttpStatusCode.NotFound);
        await books.Damage("update runs.run set charged_micros = charged_micros - 1");
        var refused = (await books.Staff.Call("POST", $"/operator/v1/billing-periods/{month}:close")).Must(HttpStatusCode.Conflict);
        refused.Problem.ShouldBe("not_reconciled");
        refused.Json.GetProperty("findings").EnumerateArray().Select(row => (row.Text("check"), row.Text("tenantId")))
            .ShouldBe([("run_charged", books.Tenant)]);
        refused.Json.GetProperty("issued").GetArrayLength().ShouldBe(1);
        (await books.Draft()).Text("state").ShouldBe("draft");
        await books.Damage("update runs.run set charged_micros = charged_micros + 1");
        var closed = (await books.Staff.Call("POST", $"/operator/v1/billing-periods/{month}:close")).Must(HttpStatusCode.OK).Json;
        closed.GetProperty("issued").GetArrayLength().ShouldBe(1);
        (await books.Staff.Call("POST", $"/operator/v1/billing-periods/{month}:close")).Must(HttpStatusCode.OK).Json.GetProperty("issued")
            .GetArrayLength().ShouldBe(0);
    }

    [Fact]
    public async Task A_month_in_its_grace_is_not_closed_by_itself()
    {
        await using var books = await BooksFixture.Open(postgres);
        await books.Debit(1_000_000);
        await books.Damage(
            """
            update billing.invoice
            set period = daterange((now() at time zone 'UTC' - interval '1 day')::date - 30,
              (now() at time zone 'UTC' - interval '1 day')::date)
            """);
        await Hour(books);
        (await books.Draft()).Micros("total").ShouldBe(1_000_000);
        await books.Damage("update billing.invoice set period = daterange(lower(period) - 2, upper(period) - 2)");
        await Hour(books);
        (await books.Invoices()).Single().Text("state").ShouldBe("issued");
    }

    [Fact]
    public async Task The_scheduler_checks_and_closes_by_itself()
    {
        await using var books = await BooksFixture.Open(postgres);
        await books.Debit(1_000_000);
        await books.AMonthPasses();
        await using var scheduler = await ServiceHost.Start(books.Fixture.Database);
        await Eventually.Holds(async () => (await books.Invoices()).Single().Text("state") == "issued");
    }

    [Fact]
    public async Task A_tenant_that_cannot_be_checked_holds_up_no_other()
    {
        await using var books = await BooksFixture.Open(postgres);
        var other = await books.Fixture.Host.CreateTenant();
        (await books.Staff.Call("PATCH", $"/operator/v1/agreements/{other.Agreement}", new { channel = "direct" }, "*"))
            .Must(HttpStatusCode.OK);
        await books.Adjust(
            new
            {
                tenantId = other.Id.ToString(), kind = "debit", document = "one", reason = "sample",
                amount = BooksFixture.Money(1_000_000)
            });
        await books.Debit(1_000_000);
        await books.AMonthPasses();
        await books.Fixture.Sql(
            $"""
            create function billing.fail() returns trigger language plpgsql as 'begin raise exception ''sample''; end';
            create trigger fail before update on billing.account
              for each row when (old.tenant_id = '{books.Fixture.Tenant.Id.Value}') execute function billing.fail()
            """);
        var refused = (await books.Staff.Call("POST", $"/operator/v1/billing-periods/{BooksFixture.PastMonth:yyyy-MM}:close"))
            .Must(HttpStatusCode.Conflict);
        refused.Json.GetProperty("findings").EnumerateArray().Select(row => (row.Text("check"), row.Text("tenantId")))
            .ShouldBe([("not_checked", books.Tenant)]);
        refused.Json.GetProperty("issued").GetArrayLength().ShouldBe(1);
    }

    [Fact]
    public async Task The_check_may_take_longer_than_other_statements()
    {
        await using var books = await BooksFixture.Open(postgres);
        await books.Fixture.Sql(
            """
            create or replace function billing.reconcile_metering(p_tenant uuid, p_since timestamptz)
              returns table (check_name text, subject text, detail text)
            language sql volatile as $$ select '', '', '' from (select pg_sleep(2) as s) x where s::text = 'x' $$
            """);
        await using var scope = books.Fixture.Host.Services.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<SystemDb>();
        await using var transaction = await db.Database.BeginTransactionAsync();
        db.Database.SetCommandTimeout(1);
        (await Reconciliation.Check(db, books.Fixture.Tenant.Id, fully: true, 48, default)).ShouldBeTrue();
        db.Database.GetCommandTimeout().ShouldBe(1);
        await Should.ThrowAsync<NpgsqlException>(() => db.Scalar<bool>($"select pg_sleep(2) is null as \"Value\""));
    }

    /// <summary>Runs the scheduler's hourly job.</summary>
    private static async Task Hour(BooksFixture books)
    {
        await using var scope = books.Fixture.Host.Services.CreateAsyncScope();
        await scope.ServiceProvider.GetRequiredService<CloseBooks>().Run(CancellationToken.None);
    }

    private async Task<string[]> Parked(NpgsqlConnection connection)
    {
        await using var batch = new NpgsqlBatch(connection)
        {
            BatchCommands =
            {
                new NpgsqlBatchCommand(
                    "select billing.check_books($1, 'epoch', interval '48 hours')") {
                        Parameters = { new() { Value = clean.Books.Fixture.Tenant.Id.Value } } },
                new NpgsqlBatchCommand(
                    "select coalesce(parked_by, '{}') from billing.account where tenant_id = $1") {
                        Parameters = { new() { Value = clean.Books.Fixture.Tenant.Id.Value } } },
            },
        };
        await using var reader = await batch.ExecuteReaderAsync();
        await reader.NextResultAsync();
        await reader.ReadAsync();
        return (string[])reader.GetValue(0);
    }
}
