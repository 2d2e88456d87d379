using System.Globalization;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using NetAutomation.Marketplace;
using NetAutomation.Persistence;
using NetAutomation.Tenants;
using NetAutomation.Tenants.Agreements;
using NetAutomation.Tenants.Lifecycle;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Tenants;

/// <summary>
/// Every documented sequence of AWS Marketplace's events, in any order, repeated, with the registration at any place among them, has the
/// same result. The seed is printed; <c>NETAUTOMATION_SEED</c> repeats one.
/// </summary>
public sealed class AgreementHistoryTests(PostgresServer postgres, ITestOutputHelper output)
{
    private const int Workers = 4;
    private static readonly int _orders = Sample.Of(1000);

    /// <summary>
    /// The events of AWS, ten minutes apart, and the expected tenants. Created, Amended, Ended and Licence Updated, Deprovisioned with the
    /// agreement's letter and the licence's number; of products without concurrent agreements the SNS action. Licences joined by +
    /// belong to one tenant.
    /// </summary>
    private static readonly (string Name, string Events, string Licenses, string End)[] _sequences =
    [
        ("not confirmed", "C:X", "1", "pending[1 pending]"),
        ("subscribed", "C:X U:1:X", "1", "active[1 active X open]"),
        ("cancelled", "C:X U:1:X E:X:CANCELLED D:1:X", "1", "ended[1 ended X closed]"),
        ("expired", "C:X U:1:X E:X:EXPIRED D:1:X", "1", "ended[1 ended X closed]"),
        ("terminated, deprovisioned not heard", "C:X U:1:X E:X:TERMINATED", "1", "ended[1 ended X closed]"),
        ("deprovisioned, end not heard", "C:X U:1:X D:1:X", "1", "ended[1 ended X closed]"),
        ("amended", "C:X U:1:X A:X U:1:X", "1", "active[1 active X open]"),
        ("renewed", "C:X U:1:X C:Y U:1:Y E:X:RENEWED", "1", "active[1 active Y open]"),
        ("renewed and cancelled", "C:X U:1:X C:Y U:1:Y E:X:RENEWED A:Y E:Y:CANCELLED D:1:Y", "1", "ended[1 ended Y closed]"),
        ("replaced", "C:X U:1:X E:X:REPLACED C:Y U:1:Y", "1", "active[1 active Y open]"),
        ("expired before its renewal", "C:X U:1:X E:X:EXPIRED C:Y U:1:Y", "1", "active[1 active Y open]"),
        ("the old one's late end", "C:X U:1:X C:Y U:1:Y E:X:EXPIRED", "1", "active[1 active Y open]"),
        ("subscribed again", "C:X U:1:X E:X:CANCELLED D:1:X C:Y U:1:Y", "1", "active[1 active Y open]"),
        ("two licences of one account", "C:X C:Y U:1:X U:2:Y E:X:CANCELLED D:1:X", "1 2",
            "ended[1 ended X closed] active[2 active Y open]"),
        ("two agreements of one tenant", "C:X C:Y U:1:X U:2:Y E:Y:CANCELLED D:2:Y", "1+2", "active[1 active X open, 2 ended Y closed]"),
        ("both agreements of one tenant", "C:X U:1:X C:Y U:2:Y E:X:CANCELLED E:Y:EXPIRED D:1:X D:2:Y", "1+2",
            "ended[1 ended X closed, 2 ended Y closed]"),
        ("the newer agreement pays", "C:X U:1:X C:Y U:2:Y", "1+2", "active[1 active X open, 2 active Y open paying]"),
        ("unknown events", "C:X U:1:X Q:X Q:X", "1", "active[1 active X open]"),
        ("legacy: subscribed", "subscribe-success", "", "active[- active open]"),
        ("legacy: failed", "subscribe-fail", "", "ended[- ended none]"),
        ("legacy: failed first", "subscribe-fail subscribe-success", "", "active[- active open]"),
        ("legacy: leaving", "subscribe-success unsubscribe-pending", "", "active[- ending closed]"),
        ("legacy: leaving what it never had", "unsubscribe-pending", "", "pending[- pending]"),
        ("legacy: left", "subscribe-success unsubscribe-pending unsubscribe-success", "", "ended[- ended closed]"),
        ("legacy: stays after all", "subscribe-success unsubscribe-pending subscribe-success", "", "active[- active open]"),
        ("legacy: back again", "subscribe-success unsubscribe-pending unsubscribe-success subscribe-success", "", "active[- active open]"),
        ("legacy: another contract", "subscribe-success entitlement-updated something-new entitlement-updated", "",
            "active[- active open]"),
        ("legacy: a contract alone", "entitlement-updated GetEntitlements:_listed", "", "active[- active open]"),
        ("legacy: a contract that ran out", "entitlement-updated GetEntitlements:_listed GetEntitlements:_none", "",
            "ended[- ended closed]"),
        ("legacy: a contract anew", "GetEntitlements:_listed GetEntitlements:_none entitlement-updated GetEntitlements:_listed", "",
            "active[- active open]"),
    ];

    private static int _buyers;

    [Fact]
    public async Task The_end_depends_on_the_set_of_events_alone()
    {
        var seed = Environment.GetEnvironmentVariable("NETAUTOMATION_SEED") is { } given
            ? int.Parse(given, CultureInfo.InvariantCulture) : Random.Shared.Next();
        output.WriteLine($"NETAUTOMATION_SEED={seed}");
        TestContext.Current.SendDiagnosticMessage("agreements: NETAUTOMATION_SEED={0}", seed);
        var database = await postgres.Create();
        await using var host = await ServiceHost.Start(database, ["Roles:1=api"]);
        // The reference: in the order of their times, the registration first.
        var ends = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var each in _sequences)
        {
            var buyer = new Buyers(each.Events, each.Licenses);
            await Play(host, [.. buyer.Registrations, .. buyer.Messages()], 1);
            var (end, whole) = await buyer.End(host);
            end.ShouldBe(each.End, each.Name);
            ends[each.Name] = whole;
        }

        await Task.WhenAll(Enumerable.Range(0, Workers).Select(first => Task.Run(async () =>
        {
            for (var number = first; number < _orders; number += Workers)
            {
                var random = new Random(unchecked((seed * 31) + number));
                var each = _sequences[number % _sequences.Length];
                var buyer = new Buyers(each.Events, each.Licenses);
                List<Func<IServiceProvider, Task>> steps = [.. buyer.Registrations];
                for (var copy = random.Next(1, 3); copy > 0; copy--)
                {
                    steps.AddRange(buyer.Messages(random));
                }

                if (random.Next(2) == 0)
                {
                    steps.AddRange(buyer.Registrations);
                }

                var order = steps.ToArray();
                random.Shuffle(order);
                // In every third order two processes apply the events at the same time.
                await Play(host, order, number % 3 == 0 ? 2 : 1);
                var (end, whole) = await buyer.End(host);
                (end, whole).ShouldBe((each.End, ends[each.Name]), $"{each.Name}, seed {seed}, order {number}");
            }
        })));
    }

    [Fact]
    public async Task An_agreement_that_is_over_closes_no_other_payer()
    {
        await using var host = await ServiceHost.Start(await postgres.Create(), ["Roles:1=api"]);
        // Agreements of one account and product, by product code and by licence; the event that the first was ever in force comes last.
        var buyer = new Buyers("C:X U:1:X subscribe-success unsubscribe-success", " 1");
        var messages = buyer.Messages().ToArray();
        await Play(host, [.. buyer.Registrations, messages[0], messages[1], messages[3], messages[2]], 1);
        (await buyer.End(host)).End.ShouldBe("active[1 active X open] ended[- ended closed]");
    }

    private static async Task Play(ServiceHost host, Func<IServiceProvider, Task>[] steps, int processes) =>
        await Task.WhenAll(Enumerable.Range(0, processes).Select(async process =>
        {
            for (var i = process; i < steps.Length; i += processes)
            {
                await using var scope = host.Services.CreateAsyncScope();
                await steps[i](scope.ServiceProvider);
            }
        }));

    /// <summary>The buyers of one history, with unique names, and the events of AWS about them.</summary>
    private sealed class Buyers
    {
        private static readonly DateTimeOffset _start = new(2026, 3, 1, 0, 0, 0, TimeSpan.Zero);
        private readonly string _number = Interlocked.Increment(ref _buyers).ToString("d8", CultureInfo.InvariantCulture);
        private readonly string[] _events;
        private readonly string[][] _tenants;

        public Buyers(string events, string licenses)
        {
            _events = events.Split(' ');
            _tenants = [.. licenses.Split(' ').Select(each => each.Split('+'))];
        }

        /// <summary>One registration for each tenant.</summary>
        public IEnumerable<Func<IServiceProvider, Task>> Registrations =>
            _tenants.Select<string[], Func<IServiceProvider, Task>>(licenses => async services =>
        {
            var tenants = services.GetRequiredService<BuyerTenants>();
            var db = services.GetRequiredService<SystemDb>();
            var buyer = Buyer(licenses[0]);
            await using (var transaction = await db.Database.BeginTransactionAsync())
            {
                var tenant = await tenants.FindOrOpen(buyer, default);
                foreach (var further in licenses.Skip(1))
                {
                    if (!await db.Scalar<bool>(
                        $"""
                        select exists (select from onboarding.agreement where tenant_id = {tenant.Value}
                          and license_arn = {License(further)})
                        """))
                    {
                        await OpenTenant.Add(db, tenant, new Subscription(Account, Product, License(further)), default);
                    }
                }

                await transaction.CommitAsync();
            }

            foreach (var license in licenses)
            {
                await Retry(() => tenants.CatchUp(Buyer(license), default));
            }
        });

        private string Account => $"7000{_number}";

        private string Product => $"prod-{_number}";

        private static string At(int minute) =>
            _start.AddMinutes(minute).ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);

        private string? License(string number) => number.Length == 0
            ? null : $"arn:aws:license-manager::294406891311:license:l-{_number}{number}";

        private Buyer Buyer(string license) => new(Account, Product, License(license), license.Length == 0 ? $"cust-{_number}" : null);

        /// <summary>Each event once, in one of the envelopes that AWS uses.</summary>
        public IEnumerable<Func<IServiceProvider, Task>> Messages(Random? random = null)
        {
            for (var i = 0; i < _events.Length; i++)
            {
                var message = Message(i, random?.Next(2) ?? 0);
                yield return async services =>
                {
                    var events = services.GetRequiredService<ApplyEvents>();
                    var db = services.GetRequiredService<SystemDb>();
                    await events.Store(message, default);
                    await Retry(async () =>
                    {
                        await using var transaction = await db.Database.BeginTransactionAsync();
                        await events.Apply(message.Id, default);
                        await transaction.CommitAsync();
                    });
                };
            }
        }

        private LifecycleEvent Message(int place, int envelope)
        {
            var (text, minute, id) = (_events[place], place * 10, $"{_number}-{place}");
            var at = _start.AddMinutes(minute);
            if (text.StartsWith("GetEntitlements", StringComparison.Ordinal))
            {
                return new LifecycleEvent(id, text.Replace('_', ' '), at, "{}") { ProductCode = Product, Account = Account };
            }

            if (!text.Contains(':', StringComparison.Ordinal))
            {
                var (action, customer, product) = (text, $"cust-{_number}", Product);
                // Older guides show PascalCase.
                var body = place % 2 == 0
                    ? JsonSerializer.Serialize(
                        new Dictionary<string, string>
                        {
                            ["action"] = action, ["customer-identifier"] = customer, ["product-code"] = product
                        })
                    : JsonSerializer.Serialize(
                        new Dictionary<string, string>
                        {
                            ["Action"] = action, ["CustomerIdentifier"] = customer, ["ProductCode"] = product
                        });
                // A queue gets all of its messages raw, or none.
                return _number[^1] % 2 == 0
                    ? LifecycleEvent.Read(id, body, at) : LifecycleEvent.Read($"{id}-{envelope}", Sns(id, body, minute), at.AddDays(1));
            }

            var bridge = Bridge(id, text.Split(':'), minute);
            return LifecycleEvent.Read($"{id}-{envelope}", envelope == 0 ? bridge : Sns($"{id}-sns", bridge, minute + 1), at.AddDays(1));
        }

        private static string Sns(string id, string message, int minute) =>
            JsonSerializer.Serialize(
                new
                {
                    Type = "Notification", MessageId = id, TopicArn = "arn:aws:sns:us-east-1:287250355862:aws-mp", Message = message,
                    Timestamp = At(minute)
                });

        private string Bridge(string id, string[] parts, int minute)
        {
            var name = parts[0] switch
            {
                "C" => "Purchase Agreement Created - Proposer",
                "A" => "Purchase Agreement Amended - Proposer",
                "E" => "Purchase Agreement Ended - Proposer",
                "U" => "License Updated - Manufacturer",
                "D" => "License Deprovisioned - Manufacturer",
                _ => "Purchase Agreement Pondered - Proposer",
            };
            var acceptor = new { accountId = Account };
            var agreement = $"agmt-{_number}{parts[^1]}";
            object detail = parts[0] is "U" or "D"
                ? new
                {
                    license = new { arn = License(parts[1]) }, product = new { id = "prod", code = Product }, acceptor,
                    agreement = new { id = agreement }
                }
                : new
                {
                    acceptor,
                    agreement =
                        new { id = $"agmt-{_number}{parts[1]}", intent = "NEW", status = parts.ElementAtOrDefault(2) ?? "ACTIVE" }
                };
            return JsonSerializer.Serialize(new Dictionary<string, object>
            {
                ["version"] = "0", ["id"] = id, ["detail-type"] = name, ["source"] = "aws.agreement-marketplace", ["time"] = At(minute),
                ["detail"] = detail,
            });
        }

        /// <summary>The result, short and with every value that must be the same.</summary>
        public async Task<(string End, string Whole)> End(ServiceHost host)
        {
            await using var scope = host.Services.CreateAsyncScope();
            var db = scope.ServiceProvider.GetRequiredService<SystemDb>();
            var rows = await db.Query<Row>(
                $"""
                select a.tenant_id, t.state as tenant, t.reads_until > now() + interval '29 days' as until,
                  right(coalesce(a.license_arn, '-'), 1) as license, a.state,
                  right(a.agreement_id, 1) as agreement, (extract(epoch from a.activated_at - {_start}) / 60)::int as active,
                    (extract(epoch from a.ended_at - {_start}) / 60)::int as ended,
                  case when p.id is null then 'none' when p.closed_at is null then 'open' else 'closed' end as payer,
                    b.payer_id = p.id as paying,
                  b.channel, b.stopped_at is not null as stopped,
                  (select string_agg(concat_ws(' ', account, proven_by, active), ',') from onboarding.tenant_account c
                    where c.tenant_id = a.tenant_id) as accounts,
                  (select count(*) from purchasing.entitlement e where e.tenant_id = a.tenant_id) as rights
                from onboarding.agreement a join onboarding.tenant t on t.tenant_id = a.tenant_id
                left join billing.payer p on p.tenant_id = a.tenant_id and p.meter_key = coalesce(a.license_arn, a.product_code)
                left join billing.account b on b.tenant_id = a.tenant_id
                where a.account = {Account} order by a.license_arn
                """);
            var tenants = rows.GroupBy(row => row.TenantId).Select(tenant => (tenant.First(), tenant.ToList())).ToList();
            var several = tenants.Any(tenant => tenant.Item2.Count(row => row.State == "active") > 1);
            return (
                string.Join(
                    ' ', tenants.Select(
                        tenant => $"{tenant.Item1.Tenant}[{string.Join(", ", tenant.Item2.Select(row => Short(row, several)))}]")),
                string.Join(
                    '\n', rows.Select(row => $"{row with { TenantId = Guid.Empty }}".Replace(_number, "N", StringComparison.Ordinal))));
        }

        private static string Short(Row row, bool several) => string.Join(
            ' ', new[] {
                row.License, row.State, row.Agreement, row.State == "pending" ? null : row.Payer,
                several && row.Paying == true ? "paying" : null }.Where(each => each is not null));

        // PostgreSQL ends one of two transactions in a deadlock; the service repeats it later by a timer.
        private static async Task Retry(Func<Task> step)
        {
            for (var left = 5; left > 0; left--)
            {
                try
                {
                    await step();
                    return;
                }
                catch (Exception e) when (
                    left > 1 && (e as Npgsql.PostgresException ?? e.InnerException as Npgsql.PostgresException)?.SqlState == "40P01")
                {
                    await Task.Yield();
                }
            }
        }

        private sealed record Row(
            Guid TenantId, string Tenant, bool? Until, string License, string State, string? Agreement, int? Active, int? Ended,
            string Payer, bool? Paying, string? Channel,
            bool? Stopped, string? Accounts, long Rights);
    }
}
