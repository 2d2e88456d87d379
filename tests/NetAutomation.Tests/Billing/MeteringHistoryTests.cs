using System.Globalization;
using Microsoft.Extensions.Time.Testing;
using NetAutomation.Billing.Metering;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Billing;

/// <summary>
/// Histories by seed: customers are charged and credited over some hours while the reporter is killed at any step and AWS fails in every
/// way. In the end AWS has exactly the settled amounts. NETAUTOMATION_METERING_SEED and one history repeat a seed.
/// </summary>
[Collection("Money at length")]
public sealed class MeteringHistoryTests(PostgresServer postgres)
{
    private const int Histories = 1000;

    private static readonly string[] _faults =
        ["throttle", "unavailable", "cut", "refuse", "not_subscribed", "unprocessed", "kept_then_failed", "kept_then_cut"];

    [Fact]
    public async Task The_report_equals_the_settled_amounts_wherever_the_reporter_is_killed()
    {
        var first = Number("NETAUTOMATION_METERING_SEED") ?? Random.Shared.Next();
        var count = Number("NETAUTOMATION_METERING_HISTORIES") ?? Histories;
        TestContext.Current.TestOutputHelper?.WriteLine($"seeds {first} to {first + count - 1}");
        var database = await postgres.Create();
        string[] legacy = [.. Enumerable.Range(0, count).Select(i => $"legacy-{i}")];
        await using var usual = await MeteringFixture.Start(database, product => product with { LegacyProducts = legacy });
        // This AWS calls a repeated identical record a duplicate.
        await using var duplicating =
            await MeteringFixture.Start(database, product => product with { LegacyProducts = legacy, IdenticalIsDuplicate = true });
        var totals = new Totals();
        await Parallel.ForEachAsync(
            Enumerable.Range(0, count), new ParallelOptions { MaxDegreeOfParallelism = 6 },
            async (i, _) =>
            {
                var seed = unchecked(first + i);
                try
                {
                    await new History(seed % 2 == 0 ? usual : duplicating, new Random(seed), i, totals).Run();
                }
                catch (Exception fault)
                {
                    throw new InvalidOperationException($"The history of seed {seed} failed.", fault);
                }
            });
        TestContext.Current.TestOutputHelper?.WriteLine($"{totals}");
        // The histories prove something only if all of this happened.
        totals.Kills.ShouldBeGreaterThan(count / 4);
        totals.Records.ShouldBeGreaterThan(count);
        if (count >= Histories)
        {
            totals.Carried.ShouldBeGreaterThan(0);
            totals.Confirmed.ShouldBeGreaterThan(0);
        }
    }

    private static int? Number(string variable) =>
        int.TryParse(Environment.GetEnvironmentVariable(variable), CultureInfo.InvariantCulture, out var value) ? value : null;

    private sealed class Totals
    {
        public int Kills;
        public int Records;
        public int Carried;
        public int Confirmed;

        public override string ToString() =>
            $"{Kills} kills, {Records} records accepted, {Carried} carried, {Confirmed} confirmed by a person";
    }

    private sealed class History(MeteringFixture fixture, Random chance, int number, Totals totals)
    {
        private readonly FakeTimeProvider _clock = new(MeteringFixture.Start());
        private readonly List<MeteringFixture.Customer> _customers = [];
        private readonly Dictionary<string, int> _balance = [];

        public async Task Run()
        {
            var legacy = chance.Next(3) == 0 ? $"legacy-{number}" : null;
            for (var i = chance.Next(8) == 0 ? 3 : chance.Next(1, 3); i > 0; i--)
            {
                _customers.Add(await fixture.Subscribe(legacy, $"product-{number}"));
            }

            for (var hours = chance.Next(2, 4); hours > 0; hours--)
            {
                await Charge();
                _clock.Advance(TimeSpan.FromHours(1) + TimeSpan.FromMinutes(6));
                await RunReporters();
                _clock.AdjustTime(_clock.GetUtcNow() - TimeSpan.FromMinutes(6));
            }

            if (chance.Next(4) == 0)
            {
                // The agreement ends, so the usage of the current hour is due too.
                await Charge();
                await fixture.Sql("update billing.payer set closed_at = now() where tenant_id = $1", _customers[0].Tenant.Value);
                await RunReporters();
            }

            await Settle();
            foreach (var customer in _customers)
            {
                await Check(customer);
            }
        }

        private async Task Charge()
        {
            foreach (var customer in _customers)
            {
                for (var i = chance.Next(4); i > 0; i--)
                {
                    var late = chance.Next(8) == 0 ? TimeSpan.FromMinutes(chance.Next(60)) : TimeSpan.Zero;
                    // A credit is never more than the charges.
                    var balance = _balance.GetValueOrDefault(customer.Account);
                    var micros = balance > 1 && chance.Next(4) == 0 ? -chance.Next(1, balance) : chance.Next(1, 30_000);
                    _balance[customer.Account] = balance + micros;
                    await fixture.Charge(customer, micros, _clock.GetUtcNow() - late, chance.Next(2) == 0 ? "bgp" : "acl");
                }
            }
        }

        /// <summary>Runs reporters that die at some step, then one that does not die.</summary>
        private async Task RunReporters()
        {
            for (var faults = chance.Next(3); faults > 0; faults--)
            {
                await fixture.Fault(_customers[chance.Next(_customers.Count)], _faults[chance.Next(_faults.Length)]);
            }

            for (var deaths = chance.Next(3); deaths > 0; deaths--)
            {
                var kill = new KillSwitch(chance.Next(1, 12 + (10 * _customers.Count)));
                await using var dying = fixture.Reporter(_clock, kill);
                try
                {
                    await dying.SealAndSend(_customers, chance.Next(1, 4));
                }
                catch (KilledException)
                {
                    Interlocked.Increment(ref totals.Kills);
                }
            }

            await using var living = fixture.Reporter(_clock);
            await living.SealAndSend(_customers, chance.Next(1, 4));
        }

        /// <summary>AWS works again, no process dies, and an operator handles the parked records.</summary>
        private async Task Settle()
        {
            _clock.Advance(TimeSpan.FromMinutes(6));
            for (var round = 0; round < 10; round++)
            {
                _clock.Advance(TimeSpan.FromHours(1));
                await using var reporter = fixture.Reporter(_clock);
                await reporter.SealAndSend(_customers, 20);
                if (!await Resolve(reporter))
                {
                    return;
                }
            }

            throw new InvalidOperationException("It never came to rest.");
        }

        private async Task<bool> Resolve(Reporter reporter)
        {
            var parked = new List<(MeteringFixture.Customer Customer, Guid Id, DateTimeOffset Hour)>();
            foreach (var customer in _customers)
            {
                await using var command =
                    fixture.Owner.CreateCommand("select id, hour from billing.metering_record where tenant_id = $1 and state = 'parked'");
                command.Parameters.Add(new() { Value = customer.Tenant.Value });
                await using var reader = await command.ExecuteReaderAsync();
                while (await reader.ReadAsync())
                {
                    parked.Add((customer, reader.GetGuid(0), reader.GetFieldValue<DateTimeOffset>(1)));
                }
            }

            foreach (var (customer, id, hour) in parked)
            {
                var record = new MeteringRecordId(id);
                var (db, olga) = (reporter.Db, new OperatorCaller("olga", []));
                if ((await OperateMetering.Carry(
                    record, new("refused"), db, olga, default)).Result is not Microsoft.AspNetCore.Http.IStatusCodeHttpResult
                    {
                        StatusCode: 200
                    })
                {
                    var held = (await fixture.SimulatorRecords(customer)).FirstOrDefault(kept => kept.Hour == hour);
                    await OperateMetering.Confirm(record, new("seen in the report of AWS", held?.MeteringRecordId), db, olga, default);
                    Interlocked.Increment(ref totals.Confirmed);
                    if (held is not null)
                    {
                        continue;
                    }

                    (await OperateMetering.Carry(
                        record, new("absent"), db, olga,
                        default)).Result.ShouldBeAssignableTo<Microsoft.AspNetCore.Http.IStatusCodeHttpResult>()!.StatusCode.ShouldBe(200);
                }

                Interlocked.Increment(ref totals.Carried);
            }

            return parked.Count > 0;
        }

        private async Task Check(MeteringFixture.Customer customer)
        {
            var tenant = customer.Tenant.Value;
            var kept = await fixture.SimulatorRecords(customer);
            var settled =
                await fixture.Value<long>(
                    "select coalesce(sum(amount_micros), 0)::bigint from billing.charge where tenant_id = $1", tenant);
            var left = await fixture.Value<long>(
                "select coalesce((select carry_out_micros from billing.metering_record where tenant_id = $1 order by seq desc limit 1), 0)",
                tenant);
            ((kept.Sum(each => (long)each.Quantity) * MeteringFixture.Unit) + left).ShouldBe(settled, customer.Account);
            left.ShouldBeLessThan(MeteringFixture.Unit);
            kept.Select(each => each.Hour).ShouldBeUnique();
            (await fixture.Value<long>("select count(*) from billing.metering_backlog where tenant_id = $1", tenant)).ShouldBe(0);
            (await fixture.Value<long>(
                "select count(*) from billing.metering_record where tenant_id = $1 and state in ('sealed', 'parked')", tenant)).ShouldBe(0);
            (await fixture.Value<string>(
                """
                select coalesce(string_agg(aws_record_id || ' ' || quantity, ',' order by aws_record_id), '') from billing.metering_record
                where tenant_id = $1 and state = 'accepted'
                """, tenant))
                .ShouldBe(string.Join(',', kept.Select(each => $"{each.MeteringRecordId} {each.Quantity}").Order(StringComparer.Ordinal)));
            Interlocked.Add(ref totals.Records, kept.Count);
        }
    }
}
