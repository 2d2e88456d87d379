using NetAutomation.Tests.Support;
using Npgsql;

namespace NetAutomation.Tests.Billing;

/// <summary>Books with an issued, partly paid invoice, a voided one, its draft, and a credit note; tests do not change them.</summary>
public sealed class ClosedBooks(PostgresServer postgres) : IAsyncLifetime
{
    internal BooksFixture Books { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        Books = await BooksFixture.Open(postgres);
        await Books.Run();
        await Books.AMonthPasses();
        await Books.AMonthPasses();
        var paid = (await Books.Issue()).Text("id");
        await Books.Pay(paid, 100_000, "wire 1");
        await Books.Reverse((await Books.Charges())[0].Text("id"));
        await Books.Debit(1_000_000);
        await Books.AMonthPasses();
        await Books.Void((await Books.Issue()).Text("id"));
        await Books.Run();
    }

    public ValueTask DisposeAsync() => Books.DisposeAsync();
}

public sealed class ForbiddenBookingTests(ClosedBooks closed) : IClassFixture<ClosedBooks>
{
    private const string Line = "insert into billing.invoice_line (tenant_id, charge_id, invoice_id, currency, amount_micros) select";
    private const string Adjustment =
        """
        insert into billing.adjustment (tenant_id, id, kind, document, amount_micros, currency, channel, reverses, reverses_channel, reason,
          approved_by, charge_id)
        select
        """;
    private const string Payment =
        "insert into billing.payment (tenant_id, id, invoice_id, amount_micros, currency, reference, recorded_by) select";
    private const string Usage =
        "insert into billing.usage_event (tenant_id, source, event_id, run_id, meter, device_id, quantity, block, reverses) select";

    [Theory]
    [InlineData("update billing.invoice set document = replace(document, '0.1', '0.0') where state = 'issued'")]
    [InlineData(
        """
        update billing.invoice set document = document || ' ', document_sha256 = sha256(convert_to(document || ' ', 'UTF8'))
        where state = 'issued'
        """)]
    [InlineData(
        "update billing.invoice set total_micros = total_micros - 10000, exact_micros = exact_micros - 10000 where state = 'issued'")]
    [InlineData("update billing.invoice set due_at = due_at + interval '1 year' where state = 'issued'")]
    [InlineData("update billing.invoice set state = 'draft', issued_at = null where state = 'issued'")]
    [InlineData("update billing.invoice set state = 'void' where state = 'issued'")]
    [InlineData("update billing.invoice set state = 'void', voided_at = now(), voided_by = 'x', void_reason = 'x' where state = 'issued'")]
    [InlineData("update billing.invoice set state = 'issued', voided_at = null, voided_by = null, void_reason = null where state = 'void'")]
    [InlineData("update billing.invoice set period = daterange('2020-01-01', '2020-02-01') where state = 'draft'")]
    [InlineData("update billing.invoice set state = 'issued', issued_at = now() where state = 'draft'")]
    [InlineData("delete from billing.invoice where state = 'draft'")]
    [InlineData(
        """
        insert into billing.invoice (tenant_id, id, kind, currency, period, state, issued_at)
        select tenant_id, gen_random_uuid(), kind, currency, '[2020-01-01,2020-02-01)', 'issued', now() from billing.invoice limit 1
        """)]
    [InlineData(
        """
        insert into billing.invoice (tenant_id, id, kind, currency, period)
        select tenant_id, gen_random_uuid(), kind, currency, period from billing.invoice where state = 'draft'
        """)]
    [InlineData(
        """
        insert into billing.invoice (tenant_id, id, kind, currency, period, revision)
        select tenant_id, gen_random_uuid(), kind, currency, '[2020-01-01,2020-02-01)', 2 from billing.invoice limit 1
        """)]
    [InlineData(
        $"""
        {Line} c.tenant_id, c.id, i.id, c.currency, c.amount_micros from billing.charge c join billing.invoice i on i.state = 'issued'
        limit 1
        """)]
    [InlineData(
        $"""
        {Line} c.tenant_id, c.id, i.id, c.currency, c.amount_micros from billing.charge c join billing.invoice i on i.state = 'void' limit 1
        """)]
    [InlineData(
        $"""
        {Line} l.tenant_id, l.charge_id, i.id, l.currency, l.amount_micros from billing.invoice_line l
        join billing.invoice i on i.state = 'draft' where l.live and l.invoice_id <> i.id limit 1
        """)]
    [InlineData(
        """
        insert into billing.invoice_line (tenant_id, charge_id, invoice_id, currency, amount_micros, live)
        select l.tenant_id, l.charge_id, i.id, l.currency, l.amount_micros, false from billing.invoice_line l
        join billing.invoice i on i.state = 'draft' where l.invoice_id <> i.id limit 1
        """)]
    [InlineData("update billing.invoice_line set live = false")]
    [InlineData("update billing.invoice_line set invoice_id = invoice_id, amount_micros = 1")]
    [InlineData("delete from billing.invoice_line")]
    [InlineData("update billing.adjustment set reason = 'x'")]
    [InlineData("delete from billing.adjustment")]
    [InlineData(
        $"""
        {Adjustment} tenant_id, gen_random_uuid(), 'reversal', 'again', amount_micros, currency, channel, reverses, reverses_channel, 'x',
          'x', charge_id
        from billing.adjustment where reverses is not null
        """)]
    [InlineData(
        $"""
        {Adjustment} tenant_id, gen_random_uuid(), 'reversal', 'half', -amount_micros / 2, currency, channel, id, channel, 'x', 'x',
          gen_random_uuid()
        from billing.charge where amount_micros > 1 limit 1
        """)]
    [InlineData(
        $"""
        {Adjustment} tenant_id, gen_random_uuid(), 'credit', 'alone', -1, currency, channel, null, null, 'x', 'x', gen_random_uuid()
        from billing.charge limit 1
        """)]
    [InlineData(
        $"""
        {Adjustment} tenant_id, gen_random_uuid(), 'credit', 'much', -100000000, currency, channel, null, null, 'x', 'x', id
        from billing.charge limit 1
        """)]
    [InlineData(
        $"""
        {Adjustment} tenant_id, gen_random_uuid(), 'debit', document, 1, currency, channel, null, null, 'x', 'x', charge_id
        from billing.adjustment limit 1
        """)]
    [InlineData(
        """
        insert into billing.charge (tenant_id, id, adjustment_id, sku, description, quantity, amount_micros, currency, channel)
        select tenant_id, gen_random_uuid(), id, 'x', 'x', 1, amount_micros, currency, channel from billing.adjustment limit 1
        """)]
    [InlineData(
        """
        insert into billing.charge (tenant_id, id, adjustment_id, sku, description, quantity, amount_micros, currency, channel)
        select tenant_id, gen_random_uuid(), gen_random_uuid(), 'x', 'x', 1, -1, currency, channel from billing.adjustment limit 1
        """)]
    [InlineData("update billing.payment set amount_micros = 1")]
    [InlineData("delete from billing.payment")]
    [InlineData($"{Payment} tenant_id, gen_random_uuid(), invoice_id, 1000000, currency, 'over', 'x' from billing.payment")]
    [InlineData($"{Payment} tenant_id, gen_random_uuid(), invoice_id, 1, currency, reference, 'x' from billing.payment")]
    [InlineData(
        $"{Payment} tenant_id, gen_random_uuid(), id, 1, currency, 'draft', 'x' from billing.invoice where state = 'draft' limit 1")]
    [InlineData($"{Payment} tenant_id, gen_random_uuid(), id, 1, currency, 'void', 'x' from billing.invoice where state = 'void'")]
    [InlineData(
        $"""
        {Usage} tenant_id, 'x', gen_random_uuid(), run_id, meter, device_id, -2, block, event_id from billing.usage_event
        where reverses is null and meter = 'device' limit 1
        """)]
    [InlineData(
        $"""
        {Usage} tenant_id, 'x', gen_random_uuid(), run_id, 'run', null, -1, block, event_id from billing.usage_event where meter = 'device'
        limit 1
        """)]
    public async Task Neither_role_of_the_service_can_write_it(string sql)
    {
        await Should.ThrowAsync<PostgresException>(() => closed.Books.Fixture.AppSql(sql));
        // Only constraints and triggers restrict the system role; a statement that finds no row would prove nothing.
        await Should.ThrowAsync<PostgresException>(() => Run(sql));
    }

    [Theory]
    [InlineData("seq = 1")]
    [InlineData("seq = 4")]
    [InlineData("previous_sha256 = decode(repeat('11', 32), 'hex')")]
    [InlineData("document_sha256 = decode(repeat('11', 32), 'hex')")]
    [InlineData("issued_at = (lower(period)::timestamp at time zone 'UTC')")]
    [InlineData("exact_micros = 990000; total_micros = 990000")]
    [InlineData("rounding_micros = 10000")]
    public async Task A_draft_is_issued_only_as_the_next_of_its_chain_and_as_the_sum_of_its_lines(string lie)
    {
        const string sum = "(select sum(l.amount_micros) from billing.invoice_line l where l.invoice_id = invoice.id)";
        // The draft that follows the void invoice: it would be the third.
        var columns = new Dictionary<string, string>
        {
            ["seq"] = "3", ["issued_at"] = "now()", ["due_at"] = "now()", ["exact_micros"] = sum, ["rounding_micros"] = "0",
            ["total_micros"] = sum,
            ["document"] = "'{}'", ["document_sha256"] = "sha256('{}')",
            ["previous_sha256"] = "(select document_sha256 from billing.invoice where seq = 2)",
        };
        var honest = Statement(columns);
        foreach (var part in lie.Split("; "))
        {
            var sides = part.Split(" = ", 2);
            columns[sides[0]] = sides[1];
        }

        await Should.ThrowAsync<PostgresException>(() => Run(Statement(columns)));
        await Should.NotThrowAsync(() => Run(honest, commit: false));
    }

    private static string Statement(Dictionary<string, string> columns) =>
        $"""
        update billing.invoice set state = 'issued', {string.Join(", ", columns.Select(each => $"{each.Key} = {each.Value}"))}
        where state = 'draft' and revision = 2
        """;

    private async Task Run(string sql, bool commit = true)
    {
        await using var source = NpgsqlDataSource.Create(closed.Books.Fixture.Database.System);
        await using var connection = await source.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        (await command.ExecuteNonQueryAsync()).ShouldBeGreaterThan(0);
        if (commit)
        {
            await transaction.CommitAsync();
        }
    }
}
