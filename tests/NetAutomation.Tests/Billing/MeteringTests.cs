using Microsoft.AspNetCore.Http;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using NetAutomation.Billing;
using NetAutomation.Billing.Metering;
using NetAutomation.Persistence;
using NetAutomation.Tests.Support;
using Customer = NetAutomation.Tests.Billing.MeteringFixture.Customer;

namespace NetAutomation.Tests.Billing;

/// <summary>One simulated Marketplace for the class; each test has its own customers and its own batch.</summary>
public sealed class MeteredMarketplace(PostgresServer postgres) : IAsyncLifetime
{
    internal const string Legacy = "legacy";

    internal MeteringFixture Fixture { get; private set; } = null!;

    public async ValueTask InitializeAsync() =>
        Fixture = await MeteringFixture.Start(postgres, product => product with { LegacyProducts = [Legacy] });

    public ValueTask DisposeAsync() => Fixture.DisposeAsync();
}

/// <summary>Sealing and sending, one situation in each test.</summary>
public sealed class MeteringTests(MeteredMarketplace shared) : IClassFixture<MeteredMarketplace>
{
    private static readonly OperatorCaller _olga = new("olga", []);
    private readonly DateTimeOffset _start = MeteringFixture.Start();
    private readonly string _batch = $"batch-{Guid.NewGuid():n}";

    private MeteringFixture Fixture => shared.Fixture;

    [Theory]
    [InlineData(null)]
    [InlineData(MeteredMarketplace.Legacy)]
    public async Task Whole_units_are_reported_and_the_rest_is_carried(string? legacy)
    {
        var customer = await Fixture.Subscribe(legacy, _batch);
        await Fixture.Charge(customer, 24_000, _start, "bgp");
        await Fixture.Charge(customer, 15_000, _start, "acl");
        await using (var reporter = Fixture.Reporter(At(1)))
        {
            await reporter.SealAndSend([customer]);
            var sent = reporter.Metering.Sent.ShouldHaveSingleItem();
            sent.ProductCode.ShouldBe(legacy);
            sent.UsageRecords!.ShouldHaveSingleItem().LicenseArn.ShouldBe(customer.License);
        }

        await Fixture.Charge(customer, 2_000, _start.AddHours(1));
        await SealAndSend(At(2), customer);
        (await Fixture.Records(customer, _start)).ShouldBe(["0: 3 left 9000 accepted", "1: 1 left 1000 accepted"]);
        var kept = await Fixture.SimulatorRecords(customer);
        kept.Select(each => (each.Hour, each.Quantity)).ShouldBe([(_start, 3), (_start.AddHours(1), 1)]);
        kept[0].UsageAllocations.ShouldBe(
            """[{"AllocatedUsageQuantity":1,"Tags":[{"Key":"block","Value":"acl"}]},"""
            + """{"AllocatedUsageQuantity":2,"Tags":[{"Key":"block","Value":"bgp"}]}]""");
    }

    [Fact]
    public async Task A_credit_consumes_later_usage()
    {
        var customer = await Fixture.Subscribe(null, _batch);
        await Fixture.Charge(customer, 50_000, _start);
        await SealAndSend(At(1), customer);
        await Fixture.Charge(customer, -35_000, _start.AddHours(1));
        await SealAndSend(At(2), customer);
        await Fixture.Charge(customer, 60_000, _start.AddHours(2));
        await SealAndSend(At(3), customer);
        (await Fixture.Records(customer, _start))
            .ShouldBe(["0: 5 left 0 accepted", "1: 0 left -35000 accepted", "2: 2 left 5000 accepted"]);
    }

    [Fact]
    public async Task Late_usage_joins_the_newest_closed_hour_and_a_sealed_hour_never_opens_again()
    {
        var customer = await Fixture.Subscribe(null, _batch);
        await Fixture.Charge(customer, 10_000, _start);
        await SealAndSend(At(1), customer);
        await Fixture.Charge(customer, 20_000, _start);
        await SealAndSend(At(1), customer);
        await SealAndSend(At(4), customer);
        (await Fixture.Records(customer, _start)).ShouldBe(["0: 1 left 0 accepted", "3: 2 left 0 accepted"]);
        // Neither the current hour nor one that ended less than five minutes ago is closed.
        await Fixture.Charge(customer, 10_000, _start.AddHours(4));
        await SealAndSend(new FakeTimeProvider(_start.AddHours(5).AddMinutes(4)), customer);
        (await Fixture.Records(customer, _start)).Count.ShouldBe(2);
    }

    [Fact]
    public async Task A_call_takes_25_records_and_the_one_bad_record_is_found_by_halving()
    {
        var customers = new List<Customer>();
        for (var i = 0; i < 27; i++)
        {
            customers.Add(await Fixture.Subscribe(null, _batch));
        }

        var bad = customers[7] = await Relicense(customers[7], "arn:aws:license-manager::294406891311:license:l-unknown");
        foreach (var customer in customers)
        {
            await Fixture.Charge(customer, 10_000, _start);
        }

        await using var reporter = Fixture.Reporter(At(1));
        await reporter.SealAndSend(customers);
        reporter.Metering.Sent.Max(call => call.UsageRecords!.Count).ShouldBe(25);
        reporter.Metering.Sent.Count.ShouldBeLessThan(14);
        foreach (var customer in customers)
        {
            (await Fixture.Records(customer, _start)).ShouldBe([customer == bad ? "0: 1 left 0 parked" : "0: 1 left 0 accepted"]);
        }

        reporter.Log.Count(
            line => line.StartsWith("Error", StringComparison.Ordinal)
                && line.Contains("InvalidLicenseException", StringComparison.Ordinal)).ShouldBe(1);
    }

    [Fact]
    public async Task A_parked_record_that_AWS_refused_is_carried_once()
    {
        var customer = await Fixture.Subscribe(null, _batch);
        await Fixture.Charge(customer, 34_000, _start);
        await Fixture.Fault(customer, "refuse");
        await SealAndSend(At(1), customer);
        (await Fixture.Records(customer, _start)).ShouldBe(["0: 3 left 4000 parked"]);
        var record = await Record(customer);
        await using (var db = Fixture.Db())
        {
            Status(await OperateMetering.Carry(record, new("the licence was not known yet"), db, _olga, default)).ShouldBe(200);
            Status(await OperateMetering.Carry(record, new("again"), db, _olga, default)).ShouldBe(409);
        }

        await Fixture.Charge(customer, 7_000, _start.AddHours(1));
        await SealAndSend(At(2), customer);
        await SealAndSend(At(3), customer);
        (await Fixture.Records(customer, _start)).ShouldBe(["0: 3 left 4000 carried", "1: 4 left 1000 accepted"]);
        (await Fixture.SimulatorRecords(customer)).Sum(kept => kept.Quantity).ShouldBe(4);
        (await Fixture.Value<string>("select string_agg(action, ',') from web.audit_event where tenant_id = $1", customer.Tenant.Value))
            .ShouldBe("metering_record.carried");
    }

    [Fact]
    public async Task Where_an_answer_was_lost_only_evidence_decides()
    {
        var customer = await Fixture.Subscribe(null, _batch);
        await Fixture.Charge(customer, 30_000, _start);
        await Fixture.Fault(customer, "kept_then_cut", "refuse");
        await SealAndSend(At(1), customer);
        (await Fixture.Records(customer, _start)).ShouldBe(["0: 3 left 0 parked"]);
        var record = await Record(customer);
        await using var db = Fixture.Db();
        Status(await OperateMetering.Carry(record, new("refused"), db, _olga, default)).ShouldBe(409);
        var held = (await Fixture.SimulatorRecords(customer)).ShouldHaveSingleItem().MeteringRecordId;
        Status(await OperateMetering.Confirm(record, new("report of AWS", held), db, _olga, default)).ShouldBe(200);
        (await Fixture.Records(customer, _start)).ShouldBe(["0: 3 left 0 accepted"]);
    }

    [Fact]
    public async Task Another_systems_quantity_is_parked_and_logged()
    {
        var customer = await Fixture.Subscribe(null, _batch);
        await Fixture.Charge(customer, 30_000, _start);
        await Fixture.Cloud.ControlAsync(
            HttpMethod.Post, "/control/metering",
            new
            {
                account = customer.Account, licenseArn = customer.License, dimension = MeteringFixture.Dimension, hour = _start,
                quantity = 9
            }, 201);
        await using var reporter = Fixture.Reporter(At(1));
        await reporter.SealAndSend([customer]);
        (await Fixture.Records(customer, _start)).ShouldBe(["0: 3 left 0 parked"]);
        reporter.Log.ShouldContain(
            line => line.StartsWith("Error", StringComparison.Ordinal) && line.Contains("DuplicateRecord", StringComparison.Ordinal));
        // AWS has another quantity for this hour: an operator must first confirm that it is not ours.
        var record = await Record(customer);
        Status(await OperateMetering.Carry(record, new("refused"), reporter.Db, _olga, default)).ShouldBe(409);
        Status(await OperateMetering.Confirm(record, new("9 were of another system"), reporter.Db, _olga, default)).ShouldBe(200);
        Status(await OperateMetering.Carry(record, new("not ours"), reporter.Db, _olga, default)).ShouldBe(200);
        await SealAndSend(At(2), customer);
        (await Fixture.SimulatorRecords(customer)).Select(kept => kept.Quantity).ShouldBe([9, 3]);
    }

    [Fact]
    public async Task A_customer_that_is_not_subscribed_buys_nothing_more_until_AWS_takes_its_usage()
    {
        var customer = await Fixture.Subscribe(null, _batch);
        await Fixture.Charge(customer, 30_000, _start);
        (await Refusal(customer)).ShouldBeNull();
        await Fixture.Fault(customer, "not_subscribed");
        await SealAndSend(At(1), customer);
        (await Fixture.Records(customer, _start)).ShouldBe(["0: 3 left 0 parked"]);
        (await Refusal(customer)).ShouldBe("not_subscribed");
        await using (var db = Fixture.Db())
        {
            Status(await OperateMetering.Carry(await Record(customer), new("subscribed again"), db, _olga, default)).ShouldBe(200);
        }

        await SealAndSend(At(2), customer);
        (await Refusal(customer)).ShouldBeNull();
        (await Fixture.SimulatorRecords(customer)).ShouldHaveSingleItem().Quantity.ShouldBe(3);
    }

    [Fact]
    public async Task A_failure_is_tried_again_later_by_the_clock_of_the_database()
    {
        var customer = await Fixture.Subscribe(null, _batch);
        await Fixture.Charge(customer, 10_000, _start);
        await Fixture.Fault(customer, "throttle", "unavailable");
        await using var reporter = Fixture.Reporter(At(1), options: new MeteringOptions { RetryAfter = TimeSpan.FromHours(1) });
        await reporter.SealAndSend([customer], 1);
        (await reporter.Send.Send(_batch, true, TimeProvider.System.GetUtcNow().AddMinutes(5), default)).ShouldBeNull();
        var wait =
            await Fixture.Value<double>(
                "select extract(epoch from due_at - now())::float8 from billing.metering_record where tenant_id = $1",
                customer.Tenant.Value);
        wait.ShouldBeInRange(60 * 5, 60 * 15);
        await reporter.SealAndSend([customer], 2);
        (await Fixture.Records(customer, _start)).ShouldBe(["0: 1 left 0 accepted"]);
        (await Fixture.Value<string>(
            "select string_agg(outcome, ',' order by number) from billing.metering_attempt where tenant_id = $1", customer.Tenant.Value))
            .ShouldBe("refused,unknown,accepted");
    }

    [Fact]
    public async Task Of_two_schedulers_one_seals_and_of_two_senders_each_record_has_one()
    {
        var customers = new List<Customer>();
        for (var i = 0; i < 30; i++)
        {
            customers.Add(await Fixture.Subscribe(null, _batch));
            await Fixture.Charge(customers[i], 10_000, _start);
        }

        var clock = At(1);
        await Task.WhenAll(Enumerable.Range(0, 4).Select(async _ =>
        {
            await using var reporter = Fixture.Reporter(clock, options: new MeteringOptions());
            foreach (var customer in customers)
            {
                await using var transaction = await reporter.Db.Database.BeginTransactionAsync();
                await reporter.Seal.Seal(customer.Tenant, customer.Payer, default);
                await transaction.CommitAsync();
            }

            while (await reporter.Send.Send(_batch, true, TimeProvider.System.GetUtcNow().AddSeconds(1), default) is not null)
            {
                await Task.Yield();
            }
        }));
        foreach (var customer in customers)
        {
            (await Fixture.Records(customer, _start)).ShouldBe(["0: 1 left 0 accepted"]);
            (await Fixture.Value<long>("select count(*) from billing.metering_attempt where tenant_id = $1", customer.Tenant.Value))
                .ShouldBe(1);
        }
    }

    [Fact]
    public async Task After_the_end_of_an_agreement_the_running_hour_is_reported_and_late_usage_in_the_next()
    {
        var customer = await Fixture.Subscribe(null, _batch);
        var clock = new FakeTimeProvider(_start.AddMinutes(40));
        await Fixture.Charge(customer, 10_000, _start);
        await SealAndSend(clock, customer);
        (await Fixture.Records(customer, _start)).ShouldBeEmpty();
        await using (var db = Fixture.Db())
        {
            await BillingAccounts.Close(db, customer.Tenant, customer.License, customer.Account, customer.Product, default);
        }

        await SealAndSend(clock, customer);
        (await Fixture.Records(customer, _start)).ShouldBe(["0: 1 left 0 accepted"]);
        (await Refusal(customer)).ShouldBe("not_subscribed");
        // A run that was executing when the agreement ended.
        await Fixture.Charge(customer, 20_000, _start.AddMinutes(41));
        await SealAndSend(clock, customer);
        (await Fixture.Records(customer, _start)).Count.ShouldBe(1);
        clock.AdjustTime(_start.AddHours(1));
        await SealAndSend(clock, customer);
        (await Fixture.Records(customer, _start)).ShouldBe(["0: 1 left 0 accepted", "1: 2 left 0 accepted"]);
    }

    [Fact]
    public async Task An_agreement_that_is_replaced_takes_no_old_usage_along()
    {
        var old = await Fixture.Subscribe(null, _batch);
        await Fixture.Charge(old, 10_000, _start);
        var other = await Fixture.Subscribe(null, _batch);
        var replaced = await Relicense(old, other.License!, other.Account);
        await Fixture.Charge(replaced, 20_000, _start);
        await SealAndSend(At(1), old, replaced);
        (await Fixture.SimulatorRecords(old)).ShouldHaveSingleItem().Quantity.ShouldBe(1);
        (await Fixture.SimulatorRecords(other)).ShouldHaveSingleItem().Quantity.ShouldBe(2);
    }

    [Fact]
    public async Task A_heartbeat_is_a_record_of_zero_for_an_hour_without_usage()
    {
        var customer = await Fixture.Subscribe(null, _batch);
        await SealAndSend(At(1), customer);
        (await Fixture.Records(customer, _start)).ShouldBeEmpty();
        await using var reporter = Fixture.Reporter(At(1), options: new MeteringOptions { Heartbeat = true });
        await reporter.SealAndSend([customer]);
        (await Fixture.Records(customer, _start)).ShouldBe(["0: 0 left 0 accepted"]);
    }

    [Theory]
    [InlineData(7, "a:5,b:5,c:5", "a:3,b:2,c:2")]
    [InlineData(1, "a:1,b:2", "b:1")]
    [InlineData(5, "a:-3,b:0", "")]
    [InlineData(3, "a:9000000000000000000,b:1", "a:3")]
    public void Shares_are_whole_and_sum_to_the_units(int units, string amounts, string shares) =>
        string.Join(
            ',', Shares.Of(units, amounts.Split(',').Select(each => (each[..1], long.Parse(each[2..]))))
                .Select(share => $"{share.Block}:{share.Units}")).ShouldBe(shares);

    [Fact]
    public void More_blocks_than_a_call_can_hold_are_shown_as_others()
    {
        var shares = Shares.Of(100_000, Enumerable.Range(0, 400).Select(i => ($"block-{i}", 1_000L + i)));
        shares.Count.ShouldBe(250);
        shares.Sum(share => share.Units).ShouldBe(100_000);
        shares.ShouldContain(share => share.Block == "other" && share.Units > 30_000);
    }

    private FakeTimeProvider At(int hours) => new(_start.AddHours(hours).AddMinutes(6));

    private async Task SealAndSend(TimeProvider clock, params Customer[] customers)
    {
        await using var reporter = Fixture.Reporter(clock);
        await reporter.SealAndSend(customers);
    }

    private async Task<MeteringRecordId> Record(Customer customer) =>
        new(await Fixture.Value<Guid>(
            "select id from billing.metering_record where tenant_id = $1 order by seq desc limit 1", customer.Tenant.Value));

    private async Task<Customer> Relicense(Customer customer, string license, string? account = null)
    {
        await using var db = Fixture.Db();
        await BillingAccounts.Set(
            db, customer.Tenant, BillingChannel.Marketplace, license, account ?? customer.Account, customer.Product, default);
        return customer with
        {
            License = license,
            Payer = await Fixture.Value<Guid>("select payer_id from billing.account where tenant_id = $1", customer.Tenant.Value)
        };
    }

    /// <summary>The reason why a purchase is refused; null if it is accepted.</summary>
    private async Task<string?> Refusal(Customer customer)
    {
        await using var source = Npgsql.NpgsqlDataSource.Create(Fixture.Database.App);
        await using var db =
            new NetAutomationDb(
                new DbContextOptionsBuilder<NetAutomationDb>().UseNpgsql(source).UseSnakeCaseNamingConvention()
                    .AddInterceptors(DeferredStatements.Interceptor).Options);
        await using var transaction = await db.Begin(customer.Tenant, default);
        var ledger = new UsageLedger(db, Options.Create(new BillingOptions()));
        return (
            await ledger.ChargePurchase(
                customer.Tenant, PurchaseId.New(), "bgp/owned/once", "test", PriceVersionId.New(), 1, Money.Zero, default))?.Type.Code;
    }

    private static int? Status(IResult result) => ((IStatusCodeHttpResult)((INestedHttpResult)result).Result).StatusCode;
}

/// <summary>Log lines about waiting usage, whichever process writes them.</summary>
public sealed class MeteringWatchTests(PostgresServer postgres)
{
    [Fact]
    public async Task Waiting_usage_is_logged_once_per_change_by_all_processes_together()
    {
        await using var fixture = await MeteringFixture.Start(postgres);
        var customer = await fixture.Subscribe();
        var start = MeteringFixture.Start();
        var clock = new FakeTimeProvider(start.AddHours(1).AddMinutes(6));
        await using var one = fixture.Reporter(clock);
        await using var two = fixture.Reporter(clock);
        await fixture.Charge(customer, 10_000, start);
        await Look();
        one.Log.Concat(two.Log).ShouldBeEmpty();

        clock.AdjustTime(start.AddHours(3).AddMinutes(1));
        await Look();
        await Look();
        one.Log.Concat(two.Log).ShouldHaveSingleItem().ShouldStartWith("Warning: Usage waits for 02:01:00");

        // The usage is sealed with the last closed hour, but AWS refuses it.
        await fixture.Fault(customer, "throttle");
        await one.Seal.Run(closedOnly: false, default);
        await one.Send.Run(default);
        clock.AdjustTime(start.AddHours(6).AddMinutes(1));
        await Look();
        await Look();
        one.Log.Concat(two.Log).Count(line => line.StartsWith("Error: Usage waits for 04:01:00", StringComparison.Ordinal)).ShouldBe(1);

        await one.SealAndSend([customer]);
        await Look();
        await Look();
        one.Log.Concat(two.Log).Count(line => line.StartsWith("Information: All usage is reported", StringComparison.Ordinal))
            .ShouldBe(1);

        async Task Look()
        {
            await one.Watch.Run(default);
            await two.Watch.Run(default);
        }
    }

    [Fact]
    public async Task Without_a_dimension_nothing_is_sealed()
    {
        await using var fixture = await MeteringFixture.Start(postgres);
        var customer = await fixture.Subscribe();
        await fixture.Charge(customer, 10_000, MeteringFixture.Start());
        await using var reporter = fixture.Reporter(TimeProvider.System, dimension: "");
        await reporter.Seal.Run(closedOnly: false, default);
        (await fixture.Records(customer, MeteringFixture.Start())).ShouldBeEmpty();
    }

    [Fact]
    public async Task The_jobs_seal_and_send_due_usage()
    {
        await using var fixture = await MeteringFixture.Start(postgres);
        var (mine, other) = (await fixture.Subscribe(), await fixture.Subscribe());
        await fixture.Charge(mine, 10_000, MeteringFixture.Start());
        await fixture.Charge(other, 20_000, MeteringFixture.Start());
        await using var reporter = fixture.Reporter(TimeProvider.System);
        await reporter.Seal.Run(closedOnly: false, default);
        await reporter.All.Report(default);
        (await fixture.SimulatorRecords(mine)).ShouldHaveSingleItem().Quantity.ShouldBe(1);
        (await fixture.SimulatorRecords(other)).ShouldHaveSingleItem().Quantity.ShouldBe(2);
        await using var db = fixture.Db();
        var summary = (await OperateMetering.Summary(db, default)).Value!;
        (summary.Level, summary.OldestUnreported, summary.Unsealed, summary.Sealed, summary.Parked).ShouldBe(("ok", null, 0L, 0L, 0L));
    }
}
