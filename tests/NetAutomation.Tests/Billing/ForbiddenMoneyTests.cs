using System.Net;
using NetAutomation.Runs;
using NetAutomation.Tests.Runs;
using NetAutomation.Tests.Support;
using Npgsql;

namespace NetAutomation.Tests.Billing;

/// <summary>
/// A tenant with a run at AWS Marketplace, then one billed directly, a bought block, and a queued run; and a second tenant.
/// </summary>
public sealed class Books(PostgresServer postgres) : IAsyncLifetime
{
    internal RunFixture Fixture { get; private set; } = null!;

    internal TenantId Other { get; private set; }

    public async ValueTask InitializeAsync()
    {
        Fixture = await RunFixture.Start(postgres, 2);
        var staff = Fixture.Host.Operator();
        (await staff.Call(
            "POST", "/operator/v1/prices",
            new { sku = "static-routes/apply/run", unitPrice = new { amount = "0.10", currency = "USD" }, freePerMonth = 1 }))
                .Must(HttpStatusCode.Created);
        await Fixture.StartRun();
        await Fixture.Work((await Fixture.Claim())!);
        var agreement = $"/operator/v1/agreements/{Fixture.Tenant.Agreement}";
        (await staff.Call("PATCH", agreement, new { channel = "direct" }, (await staff.Call("GET", agreement)).ETag))
            .Must(HttpStatusCode.OK);
        await Fixture.StartRun();
        await Fixture.Work((await Fixture.Claim())!, DeviceOutcome.Changed, DeviceOutcome.Failed);
        await Fixture.Post(Fixture.Client, "/v1/purchases", new { block = "config-backup", kind = "owned" });
        await Fixture.StartRun();
        Other = (await Fixture.Host.CreateTenant()).Id;
    }

    public ValueTask DisposeAsync() => Fixture.DisposeAsync();
}

/// <summary>Forbidden writes of money, tried as the application's role within its own tenant: the database refuses all of them.</summary>
public sealed class ForbiddenMoneyTests(Books books) : IClassFixture<Books>
{
    private const string Unique = "23505", Key = "23503", Check = "23514", Overlap = "23P01", Frozen = "23001", Right = "42501";

    private const string Settle =
        """
        insert into billing.settlement (tenant_id, reservation_id, run_id, component, kind, quantity, free_quantity, reserved_quantity,
                                        reserved_free, unit_micros, reserved_micros, amount_micros, currency, price_version_id, channel,
                                        charge_id)
        select tenant_id, id, run_id, component,
               'post', 1, 0, quantity, free_quantity, unit_micros, amount_micros, unit_micros, currency, price_version_id, channel, null
        from billing.reservation r
        where component = 'device' and not exists (select from billing.settlement s where s.reservation_id = r.id)
        """;

    private const string Reserve =
        """
        insert into billing.reservation (tenant_id, id, run_id, component, quantity, free_quantity, unit_micros, amount_micros, currency,
          price_version_id, channel)
        select tenant_id, gen_random_uuid(), run_id, component, quantity, free_quantity, unit_micros, amount_micros, currency,
          price_version_id, channel
        from billing.reservation where component = 'device' limit 1
        """;

    private const string Charge =
        """
        insert into billing.charge (tenant_id, id, reservation_id, purchase_id, sku, description, quantity, amount_micros, currency,
          price_version_id, channel)
        select tenant_id,
          gen_random_uuid(), reservation_id, purchase_id, sku, description, quantity, amount_micros, currency, price_version_id, channel
        from billing.charge
        """;

    private const string Event =
        """
        insert into billing.usage_event (tenant_id, source, event_id, run_id, meter, device_id, quantity, block)
        select tenant_id, source, event_id, run_id, meter, device_id, quantity, block from billing.usage_event where meter = 'device'
        limit 1
        """;

    private const string Receipt =
        """
        insert into billing.receipt (tenant_id, seq, run_id, device_id, outcome, block_digest, input_hash, price_micros, price_version_id,
          settled_at, previous_hash, hash)
        select tenant_id, seq, run_id, device_id, outcome, block_digest, input_hash, price_micros, price_version_id, settled_at,
          previous_hash, hash
        from billing.receipt limit 1
        """;

    private const string Line =
        """
        insert into billing.invoice_line (tenant_id, charge_id, invoice_id, currency, amount_micros)
        select c.tenant_id, c.id, i.id, c.currency, c.amount_micros from billing.charge c join billing.invoice i on i.kind = 'invoice'
        where c.channel = 'direct'
        """;

    [Theory]

    // price_version: two valid prices at the same time, a changed past price.
    [InlineData(
        Right,
        """
        insert into billing.price_version (id, sku, currency, unit_micros, valid)
        select gen_random_uuid(), sku, currency, 0, valid from billing.price_version limit 1
        """)]
    [InlineData(Right, "update billing.price_version set unit_micros = 0")]
    [InlineData(Right, "update billing.price_version set valid = tstzrange(lower(valid), now())")]
    [InlineData(Right, "delete from billing.price_version")]

    // reservation: two for one component, a wrong amount, another price's unit, more than the free quantity, another tenant's run, a
    // change.
    [InlineData(Unique, Reserve)]
    [InlineData(
        Check, Reserve, "gen_random_uuid(), run_id, component, quantity, free_quantity, unit_micros, amount_micros",
        "gen_random_uuid(), run_id, 'minute', quantity, free_quantity, unit_micros, amount_micros - 1")]
    [InlineData(
        Check, Reserve, "amount_micros, currency,\n  price_version_id, channel\nfrom",
        "-1, currency,\n  price_version_id, channel\nfrom")]
    [InlineData(
        Key, Reserve, "gen_random_uuid(), run_id, component, quantity, free_quantity, unit_micros, amount_micros",
        "gen_random_uuid(), gen_random_uuid(), component, quantity, free_quantity, 1, quantity - free_quantity")]
    [InlineData(Key, Reserve, "gen_random_uuid(), run_id", "gen_random_uuid(), gen_random_uuid()")]
    [InlineData(
        Check, Reserve, "gen_random_uuid(), run_id, component, quantity, free_quantity, unit_micros, amount_micros",
        "gen_random_uuid(), gen_random_uuid(), component, quantity, quantity, unit_micros, 0")]
    [InlineData(Right, Reserve, "select tenant_id, gen_random_uuid(), run_id", "select '{other}', gen_random_uuid(), run_id")]
    [InlineData(Frozen, "update billing.reservation set amount_micros = 0", "", "", true)]
    [InlineData(Frozen, "delete from billing.reservation", "", "", true)]

    // settlement: a second one, void after post, more than reserved, another currency, price, channel or amount, posted without a charge.
    [InlineData(Unique, "insert into billing.settlement select * from billing.settlement")]
    [InlineData(
        Unique,
        """
        insert into billing.settlement (tenant_id, reservation_id, run_id, component, kind, quantity, reserved_micros, amount_micros,
          currency, price_version_id, channel, reserved_quantity, unit_micros, reserved_free)
        select tenant_id, reservation_id, run_id, component, 'void', 0, reserved_micros, 0, currency, price_version_id, channel,
          reserved_quantity, unit_micros, reserved_free
        from billing.settlement
        """)]
    [InlineData(Check, Settle, "'post', 1, 0,", "'post', quantity + 1, 0,")]
    [InlineData(Check, Settle, "amount_micros, unit_micros, currency", "amount_micros, amount_micros + 1, currency")]
    [InlineData(Check, Settle, "amount_micros, unit_micros, currency", "amount_micros, unit_micros - 1, currency")]
    [InlineData(Check, Settle, "'post', 1, 0,", "'post', 1, 1,")]
    [InlineData(Check, Settle)]
    [InlineData(Check, Settle, "'post', 1, 0,", "'void', 1, 0,")]
    [InlineData(
        Key, Settle, "unit_micros, currency, price_version_id, channel, null",
        "unit_micros, 'EUR', price_version_id, channel, gen_random_uuid()")]
    [InlineData(Key, Settle, "price_version_id, channel, null", "gen_random_uuid(), channel, gen_random_uuid()")]
    [InlineData(Key, Settle, "price_version_id, channel, null", "price_version_id, 'marketplace', gen_random_uuid()")]
    [InlineData(Key, Settle, "price_version_id, channel, null", "price_version_id, channel, gen_random_uuid()")]
    [InlineData(
        Key, Settle, "'post', 1, 0, quantity, free_quantity, unit_micros, amount_micros, unit_micros,",
        "'post', 3, 0, 3, free_quantity, unit_micros, 3 * unit_micros, 3 * unit_micros,", false, "null", "gen_random_uuid()")]
    [InlineData(
        Key, Settle, "'post', 1, 0, quantity, free_quantity, unit_micros, amount_micros, unit_micros,",
        "'post', 1, 0, quantity, free_quantity, unit_micros * 2, amount_micros, unit_micros * 2,", false, "null", "gen_random_uuid()")]
    [InlineData(
        Key, Settle, "'post', 1, 0, quantity, free_quantity, unit_micros, amount_micros, unit_micros,",
        "'post', 1, 1, quantity, 1, unit_micros, amount_micros, 0,")]
    [InlineData(Frozen, "update billing.settlement set amount_micros = 0", "", "", true)]
    [InlineData(Frozen, "delete from billing.settlement", "", "", true)]

    // run: finished without a settlement or without a reservation, an illegal or forked history.
    [InlineData(
        Key,
        """
        update runs.run set state = 'succeeded', terminal = true, finished_at = now(), final_seq = 9, charged_micros = 0
        where state = 'queued'
        """)]
    [InlineData(Check, "update runs.run set state = 'succeeded', terminal = true where state = 'queued'")]
    [InlineData(Key, "update runs.run set state = 'running' where state = 'queued'")]
    [InlineData(Check, "update runs.run set charged_micros = ceiling_micros + 1 where terminal")]
    [InlineData(
        Key,
        """
        insert into runs.run_transition (tenant_id, run_id, seq, from_state, to_state, fence, by)
        select tenant_id, id, 2, 'queued', 'succeeded', 0, 'x' from runs.run where state = 'queued'
        """)]
    [InlineData(
        Key,
        """
        insert into runs.run_transition (tenant_id, run_id, seq, from_state, to_state, fence, by)
        select tenant_id, id, transition + 1, 'running', 'failed', 0, 'x' from runs.run where state = 'succeeded'
        """)]
    [InlineData(
        Key,
        """
        insert into runs.run_transition (tenant_id, run_id, seq, from_state, to_state, fence, by)
        select tenant_id, id, 3, 'claimed', 'running', 0, 'x' from runs.run where state = 'queued'
        """)]
    [InlineData(
        Unique,
        """
        insert into runs.run_transition (tenant_id, run_id, seq, from_state, to_state, fence, by)
        select tenant_id, run_id, seq, from_state, to_state, fence, by from runs.run_transition
        """)]
    [InlineData(Right, "delete from runs.run")]

    // usage_event: the same fact under the same or another id, a wrong sign, a second reversal, a reversal of nothing.
    [InlineData(Unique, Event)]
    [InlineData(Unique, Event, "select tenant_id, source, event_id", "select tenant_id, source, gen_random_uuid()")]
    [InlineData(Unique, Event, "select tenant_id, source, event_id", "select tenant_id, 'other', gen_random_uuid()")]
    [InlineData(Check, Event, "device_id, quantity, block from", "device_id, -1, block from")]
    [InlineData(Check, Event, "meter, device_id, quantity, block from", "'run', device_id, quantity, block from")]
    [InlineData(
        Key,
        """
        insert into billing.usage_event (tenant_id, source, event_id, run_id, meter, quantity, block, reverses)
        select tenant_id, source, gen_random_uuid(), run_id, meter, -1, block, gen_random_uuid() from billing.usage_event
        where meter = 'run' limit 1
        """)]
    [InlineData(Frozen, "update billing.usage_event set quantity = 9", "", "", true)]
    [InlineData(Frozen, "delete from billing.usage_event", "", "", true)]

    // charge: without a source, with two sources, a second one, of a run without a settlement, negative without an adjustment.
    [InlineData(
        Check, Charge, "reservation_id, purchase_id, sku, description, quantity, amount_micros, currency, price_version_id, channel\nfrom",
        "null, null, sku, description, quantity, amount_micros, currency, price_version_id, channel\nfrom")]
    [InlineData(
        Check, Charge, "gen_random_uuid(), reservation_id, purchase_id,", "gen_random_uuid(), gen_random_uuid(), gen_random_uuid(),")]
    [InlineData(Unique, Charge + " where reservation_id is not null")]
    [InlineData(
        Key, Charge + " where reservation_id is not null", "gen_random_uuid(), reservation_id", "gen_random_uuid(), gen_random_uuid()")]
    [InlineData(
        Key, Charge + " where purchase_id is not null",
        "reservation_id, purchase_id, sku, description, quantity, amount_micros, currency, price_version_id, channel\nfrom",
        "null, gen_random_uuid(), sku, description, quantity, amount_micros, currency, price_version_id, channel\nfrom")]
    [InlineData(
        Check, Charge + " where purchase_id is not null", "quantity, amount_micros, currency, price_version_id, channel\nfrom",
        "quantity, -amount_micros, currency, price_version_id, channel\nfrom")]
    [InlineData(
        Check, Charge + " where purchase_id is not null", "quantity, amount_micros, currency, price_version_id, channel\nfrom",
        "quantity, amount_micros, currency, price_version_id, 'barter'\nfrom")]
    [InlineData(Frozen, "update billing.charge set amount_micros = 1", "", "", true)]
    [InlineData(Frozen, "delete from billing.charge", "", "", true)]

    // invoice_line: a charge on two invoices, on an invoice and at AWS Marketplace, with another amount.
    [InlineData(Unique, Line)]
    [InlineData(Key, Line, "where c.channel = 'direct'", "where c.channel = 'marketplace'")]
    [InlineData(
        Key, Line, "c.currency, c.amount_micros from", "c.currency, c.amount_micros + 1 from", false, "select c.tenant_id, c.id",
        "select c.tenant_id, gen_random_uuid()")]
    [InlineData(
        Right,
        """
        insert into billing.metering_allocation (tenant_id, charge_id, record_id, currency, amount_micros)
        select tenant_id, id, gen_random_uuid(), currency, amount_micros from billing.charge where channel = 'direct'
        """)]
    [InlineData(
        Right, "insert into billing.metering_record (tenant_id, id) select tenant_id, gen_random_uuid() from billing.charge limit 1")]
    [InlineData(Right, "delete from billing.invoice")]

    // receipt: the same position, the same outcome, a change.
    [InlineData(Unique, Receipt)]
    [InlineData(Unique, Receipt, "select tenant_id, seq,", "select tenant_id, seq + 1000,")]
    [InlineData(Frozen, "update billing.receipt set price_micros = 0", "", "", true)]

    // free_allowance: a direct change, more than granted.
    [InlineData(Frozen, "update billing.free_allowance set used = 0")]
    [InlineData(
        Frozen, "insert into billing.free_allowance (tenant_id, sku, month, granted) values ('{tenant}', 'x', '2026-01-01', 1000000)")]
    [InlineData(Right, "delete from billing.free_allowance")]

    // device_hold: two writers, a reader beside a writer, another tenant's device.
    [InlineData(
        Right,
        """
        insert into runs.device_hold (tenant_id, device_id, run_id, exclusive, fence)
        select tenant_id, device_id, run_id, 1, 1 from runs.run_device
        """)]
    [InlineData(Check, "update runs.tenant_quota set running = max_running + 1")]
    [InlineData(Right, "update runs.tenant_quota set max_running = 1000000")]

    // purchase: a change of the order, an entitlement without its order, the same entitlement twice at a time.
    [InlineData(Frozen, "update purchasing.purchase set price_micros = 0", "", "", true)]
    [InlineData(
        Key,
        """
        insert into purchasing.entitlement (tenant_id, id, purchase_id, block, major, kind, starts_at)
        select tenant_id, gen_random_uuid(), gen_random_uuid(), 'bgp-neighbors', 1, 'owned', now() from billing.account
        """)]
    [InlineData(
        Overlap,
        """
        insert into purchasing.entitlement (tenant_id, id, purchase_id, block, major, kind, starts_at)
        select p.tenant_id, gen_random_uuid(), q.id, e.block, e.major, e.kind, now() from purchasing.entitlement e
        join purchasing.purchase p on p.id = e.purchase_id, (select gen_random_uuid() as id) q where e.kind = 'owned'
        """)]
    [InlineData(Right, "insert into billing.account (tenant_id, channel) values ('{tenant}', 'direct')")]
    [InlineData(Right, "update billing.account set channel = 'direct'")]
    [InlineData(Right, "update runs.fence_counter set value = 0")]
    public async Task The_database_refuses(
        string state, string sql, string find = "", string put = "", bool orRight = false, string find2 = "", string put2 = "")
    {
        var statement = Replace(Replace(sql, find, put), find2, put2)
            .Replace("{tenant}", $"{books.Fixture.Tenant.Id.Value}", StringComparison.Ordinal)
                .Replace("{other}", $"{books.Other.Value}", StringComparison.Ordinal);
        var fault = await Should.ThrowAsync<PostgresException>(() => books.Fixture.AppSql(statement), statement);
        (fault.SqlState == state || (orRight && fault.SqlState == Right))
            .ShouldBeTrue($"{fault.SqlState} {fault.MessageText}: {statement}");
    }

    [Theory]
    [InlineData("billing.reservation")]
    [InlineData("billing.settlement")]
    [InlineData("billing.charge")]
    [InlineData("billing.usage_event")]
    [InlineData("billing.receipt")]
    [InlineData("billing.invoice_line")]
    [InlineData("purchasing.purchase")]
    [InlineData("runs.run_transition")]
    [InlineData("web.audit_event")]
    public async Task Not_even_the_owner_of_the_schema_changes_append_only_rows(string table)
    {
        foreach (var sql in (string[])[$"update {table} set tenant_id = tenant_id", $"delete from {table}", $"truncate {table} cascade"])
        {
            (await Should.ThrowAsync<PostgresException>(() => books.Fixture.Sql(sql))).SqlState.ShouldBe(Frozen, sql);
        }
    }

    private static string Replace(string sql, string find, string put)
    {
        if (find.Length > 0)
        {
            sql.ShouldContain(find, Case.Sensitive, "the case no longer fits its statement");
        }

        return find.Length > 0 ? sql.Replace(find, put, StringComparison.Ordinal) : sql;
    }
}
