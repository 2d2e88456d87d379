using Microsoft.Extensions.Time.Testing;
using NetAutomation.Tests.Support;
using Npgsql;

namespace NetAutomation.Tests.Billing;

/// <summary>A customer with an accepted, a parked and a sealed record, and a charge in no record.</summary>
public sealed class MeteredCustomer(PostgresServer postgres) : IAsyncLifetime
{
    internal MeteringFixture Fixture { get; private set; } = null!;

    internal MeteringFixture.Customer Customer { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        Fixture = await MeteringFixture.Start(postgres);
        Customer = await Fixture.Subscribe();
        var start = MeteringFixture.Start();
        string[][] faults = [[], ["refuse"], ["throttle"]];
        for (var hour = 0; hour < faults.Length; hour++)
        {
            await Fixture.Charge(Customer, 25_000, start.AddHours(hour));
            await Fixture.Fault(Customer, faults[hour]);
            await using var reporter = Fixture.Reporter(new FakeTimeProvider(start.AddHours(hour + 1).AddMinutes(6)));
            await reporter.SealAndSend([Customer], 1);
        }

        await Fixture.Charge(Customer, 25_000, start.AddHours(3));
        (await Fixture.Records(Customer, start)).ShouldBe(["0: 2 left 5000 accepted", "1: 3 left 0 parked", "2: 2 left 5000 sealed"]);
    }

    public ValueTask DisposeAsync() => Fixture.DisposeAsync();
}

/// <summary>The database refuses every write that would report another amount than was settled, whichever role writes.</summary>
public sealed class MeteringForbiddenWriteTests(MeteredCustomer shared) : IClassFixture<MeteredCustomer>
{
    private const string Copy = "tenant_id, payer_id, meter_key, aws_account, dimension";
    private const string Columns =
        $"""
        insert into billing.metering_record (id, {Copy}, hour, seq, previous_hour, unit_micros, sum_micros, carry_in_micros,
          carry_out_micros, quantity)
        """;

    [Theory]
    [InlineData("update billing.metering_record set quantity = quantity - 1, carry_out_micros = carry_out_micros + unit_micros")]
    [InlineData("update billing.metering_record set hour = hour + interval '1 hour'")]
    [InlineData("update billing.metering_record set sum_micros = 0")]
    [InlineData("update billing.metering_record set allocations = null")]
    [InlineData("update billing.metering_record set state = 'sealed', aws_record_id = null where state = 'accepted'")]
    [InlineData("update billing.metering_record set aws_record_id = 'another' where state = 'accepted'")]
    [InlineData("update billing.metering_record set state = 'accepted' where state = 'sealed'")]
    [InlineData("update billing.metering_record set state = 'sealed' where state = 'parked'")]
    [InlineData("update billing.metering_record set state = 'carried' where state = 'parked'")]
    [InlineData("delete from billing.metering_record")]
    // The chain: a fork, a carry that differs from the previous record's, an hour before the last one.
    [InlineData(
        $"""
        {Columns}
        select gen_random_uuid(), {Copy}, hour + interval '9 hours', seq, previous_hour, unit_micros, 0, carry_in_micros, carry_in_micros, 0
        from billing.metering_record where seq = 3
        """)]
    [InlineData(
        $"""
        {Columns}
        select gen_random_uuid(), {Copy}, hour + interval '9 hours', seq + 1, hour, unit_micros, 0, 0, 0, 0 from billing.metering_record
        where seq = 3
        """)]
    [InlineData(
        $"""
        {Columns}
        select gen_random_uuid(), {Copy}, hour - interval '9 hours', seq + 1, hour, unit_micros, 0, carry_out_micros, carry_out_micros, 0
        from billing.metering_record where seq = 3
        """)]
    [InlineData(
        $"""
        {Columns}
        select gen_random_uuid(), {Copy}, hour + interval '9 hours', 1, null, unit_micros, 0, 0, 0, 0 from billing.metering_record
        where seq = 3
        """)]
    // The sum: without charges, wrong, with a negative quantity or carry.
    [InlineData(
        $"""
        {Columns}
        select gen_random_uuid(), {Copy}, hour + interval '9 hours', seq + 1, hour, unit_micros, 10000, carry_out_micros, carry_out_micros,
          1
        from billing.metering_record where seq = 3
        """)]
    [InlineData(
        $"""
        {Columns}
        select gen_random_uuid(), {Copy}, hour + interval '9 hours', seq + 1, hour, unit_micros, 0, carry_out_micros, 0, 0
        from billing.metering_record where seq = 3
        """)]
    [InlineData(
        $"""
        {Columns}
        select gen_random_uuid(), {Copy}, hour + interval '9 hours', seq + 1, hour, unit_micros, 0, carry_out_micros,
          carry_out_micros + unit_micros, -1
        from billing.metering_record where seq = 3
        """)]
    [InlineData(
        $"""
        {Columns}
        select gen_random_uuid(), {Copy}, hour + interval '9 hours', seq + 1, hour, unit_micros / 5, 0, carry_out_micros, carry_out_micros,
          0
        from billing.metering_record where seq = 3
        """)]
    // Charges: in two records, in an old record, removed from the backlog without a record, added to it by hand.
    [InlineData(
        """
        insert into billing.metering_allocation (tenant_id, charge_id, record_id, currency, amount_micros)
        select a.tenant_id, a.charge_id, r.id, a.currency, a.amount_micros from billing.metering_allocation a
        join billing.metering_record r on r.tenant_id = a.tenant_id and r.state = 'sealed'
        """)]
    [InlineData(
        """
        insert into billing.metering_allocation (tenant_id, charge_id, record_id, currency, amount_micros)
        select c.tenant_id, c.id, r.id, c.currency, c.amount_micros from billing.charge c
        join billing.metering_backlog b on b.charge_id = c.id
        join billing.metering_record r on r.tenant_id = c.tenant_id and r.state = 'sealed'
        """)]
    [InlineData("update billing.metering_allocation set amount_micros = 1")]
    [InlineData("delete from billing.metering_allocation")]
    [InlineData("delete from billing.metering_backlog")]
    [InlineData("insert into billing.metering_backlog select tenant_id, payer_id, occurred_hour, id from billing.charge limit 1")]
    // Attempts and carries.
    [InlineData("delete from billing.metering_attempt")]
    [InlineData("update billing.metering_attempt set outcome = 'refused' where outcome = 'accepted'")]
    [InlineData(
        """
        insert into billing.metering_attempt (tenant_id, record_id, number, worker)
        select tenant_id, id, 9, 'x' from billing.metering_record where state = 'accepted'
        """)]
    [InlineData(
        """
        insert into billing.metering_carry (tenant_id, record_id, payer_id, amount_micros, approved_by, reason)
        select tenant_id, id, payer_id, reported_micros, 'x', 'x' from billing.metering_record where state = 'sealed'
        """)]
    [InlineData(
        """
        insert into billing.metering_carry (tenant_id, record_id, payer_id, amount_micros, approved_by, reason)
        select tenant_id, id, payer_id, reported_micros, 'x', 'x' from billing.metering_record where state = 'accepted'
        """)]
    [InlineData(
        """
        insert into billing.metering_carry (tenant_id, record_id, payer_id, amount_micros, approved_by, reason)
        select tenant_id, id, payer_id, reported_micros + 1, 'x', 'x' from billing.metering_record where state = 'parked'
        """)]
    // The payer.
    [InlineData("update billing.payer set aws_account = '000000000000'")]
    [InlineData("update billing.payer set license_arn = null")]
    [InlineData("delete from billing.payer")]
    [InlineData("update billing.charge set payer_id = null")]
    public async Task Neither_role_makes_AWS_hear_another_amount(string sql)
    {
        await Refuses(shared.Fixture.Database.App, sql);
        await Refuses(shared.Fixture.Database.System, sql);
    }

    private async Task Refuses(string role, string sql)
    {
        await using var source = NpgsqlDataSource.Create(role);
        await using var connection = await source.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await using (var tenant = new NpgsqlCommand("select set_config('app.tenant', $1, true)", connection))
        {
            tenant.Parameters.Add(new() { Value = shared.Customer.Tenant.Value.ToString() });
            await tenant.ExecuteNonQueryAsync();
        }

        await Should.ThrowAsync<PostgresException>(async () =>
        {
            await using var command = new NpgsqlCommand(sql, connection);
            var rows = await command.ExecuteNonQueryAsync();
            rows.ShouldNotBe(0, "The statement met no row, so it proves nothing.");
            // Checks at the end of a transaction.
            await transaction.CommitAsync();
        });
    }
}
