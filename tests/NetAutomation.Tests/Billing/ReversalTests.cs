using System.Net;
using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Logging.Abstractions;
using NetAutomation.Billing.Operators;
using NetAutomation.Persistence;
using NetAutomation.Runs;
using NetAutomation.Tests.Runs;
using NetAutomation.Tests.Support;
using Npgsql;

namespace NetAutomation.Tests.Billing;

/// <summary>What the runs of a wrong block version were charged is found and taken back.</summary>
public sealed class ReversalTests(PostgresServer postgres)
{
    private const string Path = "/operator/v1/reversals";
    private const string Device = "static-routes/apply/device";
    private static readonly DateTimeOffset _from = DateTimeOffset.UtcNow.AddDays(-70);
    private static readonly DateTimeOffset _to = DateTimeOffset.UtcNow.AddDays(1);

    [Fact]
    public async Task What_stands_on_a_draft_is_shown_first_and_then_nets_out_once()
    {
        await using var books = await BooksFixture.Open(postgres);
        await books.Run(DeviceOutcome.Changed, DeviceOutcome.Ok, DeviceOutcome.Failed);
        await RunFixture.Post(books.Customer, "/v1/purchases", new { block = "static-routes", kind = "rental", months = 1 }, null, 201);
        await books.Run();
        var (rows, total) = (await Rows(books), (await books.Draft()).Micros("total"));

        var shown = (await Reverse(books, dryRun: true)).Must(HttpStatusCode.OK).Json;
        shown.GetProperty("reversal").ValueKind.ShouldBe(JsonValueKind.Null);
        Tenant(shown, books.Tenant).ShouldBe("0 runs 0 charges 0, left 1 runs 2 charges -200000, before 0, covered 1");
        Sums(shown, books.Tenant).ShouldBe("draft 2 -200000");
        Lines(shown).ShouldBe(["static-routes/apply/device 2 -100000 draft", "static-routes/apply/run 1 -100000 draft"], ignoreOrder: true);
        (await Rows(books)).ShouldBe(rows, "a dry run writes nothing");

        var made = (await Reverse(books)).Must(HttpStatusCode.Created).Json;
        Tenant(made, books.Tenant).ShouldBe("1 runs 2 charges -200000, left 0 runs 0 charges 0, before 0, covered 1");
        Sums(made, books.Tenant).ShouldBe("draft 2 -200000");
        Lines(made).ShouldBe(Lines(shown));
        var head = made.GetProperty("reversal");
        (head.Text("reason"), head.Text("approvedBy"), head.GetProperty("charges").GetInt64(), head.Micros("amount"))
            .ShouldBe(("wrong ok", ServiceHost.OperatorName, 2, -200_000));
        head.GetProperty("finishedAt").ValueKind.ShouldBe(JsonValueKind.Null, "runs may still be settled before the end of the time");
        (await books.Draft()).Micros("total").ShouldBe(total - 200_000);
        var usage = (await books.Customer.Call("GET", "/v1/usage?groupBy=block")).Must(HttpStatusCode.OK).Json.GetProperty("items")[0];
        (usage.GetProperty("runs").GetInt64(), usage.GetProperty("devices").GetInt64(), usage.Micros("cost")).ShouldBe((1, 3, 0));
        (await books.Fixture.Scalar<string>(
            "select string_agg(action || ' by ' || member, ', ' order by at) from web.audit_event where action like 'reversal.%'"))
            .ShouldBe($"reversal.begun by {ServiceHost.OperatorName}, reversal.made by {ServiceHost.OperatorName}");

        rows = await Rows(books);
        (await Reverse(books)).Must(HttpStatusCode.OK).Json.GetProperty("reversal").Text("id").ShouldBe(head.Text("id"));
        (await Rows(books)).ShouldBe(rows, "the same request again finds nothing");
        var other = (await Reverse(books, reason: "wrong again")).Must(HttpStatusCode.Created).Json;
        Tenant(other, books.Tenant).ShouldBe("0 runs 0 charges 0, left 0 runs 0 charges 0, before 2, covered 1");
        Sums(other, books.Tenant).ShouldBeEmpty();
        (await books.Reverse(Items(made)[0].Text("chargeId")))
            .Must(HttpStatusCode.Conflict).Problem.ShouldBe("already_reversed");

        var page = (await books.Staff.Call("GET", $"{Path}/{head.Text("id")}?limit=1")).Must(HttpStatusCode.OK).Json;
        var next = page.GetProperty("lines").Text("next");
        var last = (await books.Staff.Call("GET", $"{Path}/{head.Text("id")}?limit=1&after={next}")).Must(HttpStatusCode.OK).Json;
        Lines(page).Concat(Lines(last)).ShouldBe(Lines(made));
        (await books.Staff.Call("GET", $"{Path}?limit=200")).Must(HttpStatusCode.OK).Json.GetProperty("items").EnumerateArray()
            .Select(each => each.Text("id")).ShouldBe([other.GetProperty("reversal").Text("id"), head.Text("id")]);
        (await books.Staff.Call("GET", $"{Path}/{new ReversalId(Guid.NewGuid())}")).Must(HttpStatusCode.NotFound);
        await Reconciled(books);
    }

    [Fact]
    public async Task An_issued_invoice_stays_as_it_is_and_the_running_month_has_the_credit()
    {
        await using var books = await BooksFixture.Open(postgres);
        await books.Run();
        await books.AMonthPasses();
        var issued = await books.Issue();
        var document = (await books.Customer.Call("GET", $"/v1/invoices/{issued.Text("id")}/document")).Must(HttpStatusCode.OK).Text;
        Lines((await Reverse(books, dryRun: true)).Must(HttpStatusCode.OK).Json)
            .ShouldBe(["static-routes/apply/device 3 -150000 credit", "static-routes/apply/run 1 -100000 credit"], ignoreOrder: true);
        var made = Items((await Reverse(books)).Must(HttpStatusCode.Created).Json);
        made.Select(line => $"{line.Text("how")} {line.Text("credits")}").Distinct().ShouldBe([$"credit {issued.Text("number")}"]);
        made.Select(line => line.Text("creditNote")).Order(StringComparer.Ordinal)
            .ShouldBe([$"CN-{DateTime.UtcNow.Year}-000001", $"CN-{DateTime.UtcNow.Year}-000002"]);
        var draft = await books.Draft();
        draft.Micros("total").ShouldBe(-250_000);
        draft.GetProperty("lines").EnumerateArray().Select(line => line.Text("type")).ShouldBe(["credit_note", "credit_note"]);
        (await books.Customer.Call("GET", $"/v1/invoices/{issued.Text("id")}/document")).Must(HttpStatusCode.OK).Text.ShouldBe(document);
        await Reconciled(books);
    }

    [Fact]
    public async Task Usage_that_no_record_holds_is_never_reported_and_what_AWS_has_is_credited_to_later_usage()
    {
        await using var books = await BooksFixture.Open(postgres, direct: false);
        var (fixture, aws) = (books.Fixture, new ModelMarketplace(new Random(1)) { Well = true });
        await books.Run();
        await books.Damage(
            """
            update billing.charge set occurred_at = occurred_at - interval '3 hours';
            update billing.metering_backlog set occurred_hour = occurred_hour - interval '3 hours'
            """);
        Ways(await Reverse(books, dryRun: true)).ShouldBe(["usage", "usage"]);
        Ways(await Reverse(books)).ShouldBe(["usage", "usage"]);
        await ModelMarketplace.Seal(fixture, fixture.Tenant.Id, DateTimeOffset.UtcNow);
        await aws.Send(fixture);
        Ways(await Reverse(books)).ShouldBe(["usage", "usage"]);
        await Reconciled(books);

        await books.Run();
        await ModelMarketplace.Seal(fixture, fixture.Tenant.Id, DateTimeOffset.UtcNow.AddHours(2));
        await aws.Send(fixture);
        var records = (await books.Staff.Call("GET", $"/operator/v1/metering-records?tenantId={books.Tenant}&limit=1"))
            .Must(HttpStatusCode.OK).Json;
        var taken = records.GetProperty("items")[0];
        (taken.Text("tenantId"), taken.Text("state"), taken.Micros("amount")).ShouldBe((books.Tenant, "accepted", 250_000));
        (await books.Staff.Call("GET", $"/operator/v1/metering-records?after={records.Text("next")}"))
            .Must(HttpStatusCode.UnprocessableEntity).Problem.ShouldBe("cursor_mismatch");
        (await books.Staff.Call("GET", $"/operator/v1/metering-records?tenantId={TenantId.New()}")).Must(HttpStatusCode.OK).Json
            .GetProperty("items").GetArrayLength().ShouldBe(0);
        foreach (var line in Items((await Reverse(books, dryRun: true)).Must(HttpStatusCode.OK).Json))
        {
            (line.Text("how"), line.Text("meteringRecordId"), line.Text("meteringState"))
                .ShouldBe(("adjustment", taken.Text("id"), "accepted"));
        }

        var made = (await Reverse(books)).Json;
        Sums(made, books.Tenant).ShouldBe("adjustment 2 -250000, usage 2 -250000");
        Items(made).Select(line => line.Text("how")).ShouldBe(["adjustment", "adjustment", "usage", "usage"], ignoreOrder: true);
        await books.Run();
        await ModelMarketplace.Seal(fixture, fixture.Tenant.Id, DateTimeOffset.UtcNow.AddHours(3));
        await aws.Send(fixture);
        (await fixture.Scalar<string>("select string_agg(quantity || ' ' || state, ', ' order by seq) from billing.metering_record"))
            .ShouldBe("0 accepted, 25 accepted, 0 accepted");
        aws.Units.ShouldBe(25, "three runs of 25 units, of which two were taken back");
        await Reconciled(books);
    }

    [Fact]
    public async Task Other_blocks_versions_times_and_tenants_are_left_alone()
    {
        await using var books = await BooksFixture.Open(postgres);
        await books.Run();
        var first = (await books.Charges())[0].GetProperty("occurredAt").GetDateTimeOffset();
        await books.Run();
        var second = (await books.Charges())[0].GetProperty("occurredAt").GetDateTimeOffset();
        var other = await AnotherTenant(books);
        var rows = await Rows(books);
        (await Reverse(books, version: "0.0.7")).Must(HttpStatusCode.UnprocessableEntity).Faults.ShouldBe(["/version unknown_version"]);
        (await Reverse(books, to: _from, reason: "", tenant: $"{TenantId.New()}")).Must(HttpStatusCode.UnprocessableEntity)
            .Faults.ShouldBe(["/to out_of_range", "/reason length", "/tenantId unknown_tenant"]);
        (await Reverse(books, dryRun: true, limit: 0)).Must(HttpStatusCode.UnprocessableEntity).Faults.ShouldBe(["/limit out_of_range"]);
        (await Rows(books)).ShouldBe(rows);
        await books.Damage("update runs.run set version = '0.0.7' where id = (select max(id::text)::uuid from runs.run)");
        (await Reverse(books, block: "config-backup")).Must(HttpStatusCode.Created).Json.GetProperty("tenants").GetArrayLength()
            .ShouldBe(0);
        (await Reverse(books, to: first)).Must(HttpStatusCode.Created).Json.GetProperty("tenants").GetArrayLength().ShouldBe(0);
        Tenant((await Reverse(books, to: second)).Must(HttpStatusCode.Created).Json, books.Tenant)
            .ShouldBe("1 runs 2 charges -250000, left 0 runs 0 charges 0, before 0, covered 0");
        (await books.Draft()).Micros("total").ShouldBe(250_000);
        (await Reverse(books)).Must(HttpStatusCode.Created).Json.GetProperty("tenants").EnumerateArray()
            .Select(each => each.Text("tenantId"))
            .ShouldBe([books.Tenant], ignoreOrder: false, "the other tenant's run is of another version");
        await books.Damage("update runs.run set version = (select min(version) from runs.run where version <> '0.0.7')");
        Tenant((await Reverse(books, tenant: books.Tenant)).Must(HttpStatusCode.Created).Json, books.Tenant)
            .ShouldBe("0 runs 0 charges 0, left 0 runs 0 charges 0, before 4, covered 0");
        Tenant((await Reverse(books)).Must(HttpStatusCode.OK).Json, other)
            .ShouldBe("1 runs 2 charges -150000, left 0 runs 0 charges 0, before 0, covered 0");
        (await books.Fixture.Scalar<long>("select sum(amount_micros)::bigint from billing.charge")).ShouldBe(0);
        await Reconciled(books);
    }

    [Fact]
    public async Task Several_at_once_take_each_charge_back_once()
    {
        await using var books = await BooksFixture.Open(postgres, devices: 1);
        for (var i = 0; i < 3; i++)
        {
            await books.Run();
        }

        await AnotherTenant(books);
        string[] reasons = ["wrong ok", "wrong ok", "wrong again", "wrong again"];
        var answers = await Task.WhenAll(reasons.Select(reason => Reverse(books, reason: reason)));
        answers.Count(answer => answer.Status == HttpStatusCode.Created).ShouldBe(2);
        answers.ShouldAllBe(answer => answer.Json.GetProperty("refused").GetArrayLength() == 0);
        (await books.Staff.Call("GET", Path)).Must(HttpStatusCode.OK).Json.GetProperty("items").EnumerateArray()
            .Sum(head => head.GetProperty("charges").GetInt64()).ShouldBe(8);
        (await books.Fixture.Scalar<string>("select count(*) || ' ' || sum(amount_micros) from billing.charge")).ShouldBe("16 0");
        await Reconciled(books);
    }

    [Fact]
    public async Task Killed_at_any_step_and_begun_again_it_takes_each_charge_back_once()
    {
        await using var books = await BooksFixture.Open(postgres, devices: 1);
        await books.Run();
        await books.Run();
        await AnotherTenant(books);
        await using var source = NpgsqlDataSource.Create(books.Fixture.Database.System);
        // So long ago that nothing can be settled in the time any more.
        await books.Damage("update billing.usage_event set occurred_at = occurred_at - interval '1 hour'");
        var to = DateTimeOffset.UtcNow.AddMinutes(-20);
        var request = new ReverseRunsRequest("static-routes", await Version(books, "static-routes"), _from, to, "wrong ok");
        var killed = true;
        var steps = 0;
        while (killed)
        {
            var kill = new KillSwitch(steps++);
            await using var db = new SystemDb(
                new DbContextOptionsBuilder<SystemDb>().UseNpgsql(source).UseSnakeCaseNamingConvention()
                    .AddInterceptors(DeferredStatements.Interceptor, kill).Options)
            { Sending = kill.Step };
            // Bounded as a large set is: a call takes back two parts of runs, each in a transaction of its own.
            var reverse = new ReverseRuns(db, NullLogger<ReverseRuns>.Instance) { Chunk = 1, Most = 2 };
            await Record.ExceptionAsync(() => reverse.Run(request, new OperatorCaller(ServiceHost.OperatorName, []), default));
            killed = kill.Killed;
        }

        var made = (await Reverse(books, to: to)).Must(HttpStatusCode.OK).Json;
        made.GetProperty("reversal").GetProperty("charges").GetInt64().ShouldBe(6);
        made.GetProperty("reversal").GetProperty("finishedAt").ValueKind.ShouldBe(JsonValueKind.String);
        (await books.Fixture.Scalar<string>("select count(*) || ' ' || sum(amount_micros) from billing.charge")).ShouldBe("12 0");
        (await books.Fixture.Scalar<long>("select sum(quantity)::bigint from billing.usage_event where meter <> 'minute'")).ShouldBe(0);
        await Reconciled(books);
    }

    [Fact]
    public async Task Free_units_of_a_run_that_is_taken_back_are_free_again_once()
    {
        await using var books = await BooksFixture.Open(postgres);
        (await books.Staff.Call(
            "POST", "/operator/v1/prices", new { sku = Device, unitPrice = BooksFixture.Money(50_000), freePerMonth = 4 }))
                .Must(HttpStatusCode.Created);
        await books.Run();
        await books.Run();
        (await Used(books)).ShouldBe(4);
        var made = (await Reverse(books)).Must(HttpStatusCode.Created).Json;
        Lines(made).ShouldBe(
            ["static-routes/apply/run 1 -100000 draft", "static-routes/apply/device 0 0 ", "static-routes/apply/run 1 -100000 draft",
                "static-routes/apply/device 2 -100000 draft"], ignoreOrder: true);
        made.GetProperty("tenants")[0].GetProperty("freeUnits").GetInt64().ShouldBe(4);
        (await Used(books)).ShouldBe(0);
        (await books.Fixture.Scalar<long>("select sum(quantity)::bigint from billing.usage_event where meter = 'device'")).ShouldBe(0);

        // A single charge is taken back by the same rule.
        await books.Run();
        await books.Run();
        var device = (await books.Charges()).First(charge => charge.Text("sku") == Device).Text("id");
        (await books.Reverse(device)).Must(HttpStatusCode.Created);
        (await Used(books)).ShouldBe(3);
        Lines((await Reverse(books, dryRun: true)).Must(HttpStatusCode.OK).Json)
            .ShouldNotContain("static-routes/apply/device 2 -100000 draft");
        foreach (var (refused, code) in ((string, string)[])[
            ("select tenant_id, reservation_id from billing.free_return limit 1", PostgresErrorCodes.UniqueViolation),
            ("select tenant_id, reservation_id from billing.settlement where free_quantity = 0 limit 1",
                PostgresErrorCodes.RestrictViolation)])
        {
            (await Should.ThrowAsync<PostgresException>(
                () => books.Fixture.Sql($"insert into billing.free_return (tenant_id, reservation_id) {refused}"))).SqlState.ShouldBe(code);
        }

        await Reconciled(books);
    }

    [Fact]
    public async Task A_tenant_that_was_given_credits_gets_no_more_back_than_it_was_charged()
    {
        await using var books = await BooksFixture.Open(postgres);
        await books.Run();
        (await books.Credit(60_000)).Must(HttpStatusCode.Created);
        var made = (await Reverse(books)).Must(HttpStatusCode.Created).Json;
        made.GetProperty("refused").EnumerateArray().Select(each => each.Text("tenantId")).ShouldBe([books.Tenant]);
        made.GetProperty("reversal").GetProperty("finishedAt").ValueKind.ShouldBe(JsonValueKind.Null);
        Tenant(made, books.Tenant).ShouldBe("1 runs 1 charges -150000, left 1 runs 1 charges -100000, before 0, covered 0");
        (await books.Draft()).Micros("total").ShouldBe(40_000);
        (await books.Debit(60_000)).Must(HttpStatusCode.Created);
        Tenant((await Reverse(books)).Must(HttpStatusCode.OK).Json, books.Tenant)
            .ShouldBe("1 runs 2 charges -250000, left 0 runs 0 charges 0, before 0, covered 0");
        (await books.Draft()).Micros("total").ShouldBe(0);
        await Reconciled(books);
    }

    private static async Task<Answer> Reverse(
        BooksFixture books, bool dryRun = false, string block = "static-routes", string? version = null, DateTimeOffset? to = null,
        string reason = "wrong ok", string? tenant = null, int? limit = null) => await books.Staff.Call(
        "POST", limit is null ? Path : $"{Path}?limit={limit}",
        new
        {
            block, version = version ?? await Version(books, block), from = _from.AddDays(to == _from ? 1 : 0), to = to ?? _to, reason,
            dryRun, tenantId = tenant,
        });

    private static async Task<string> Version(BooksFixture books, string block) =>
        (await RunFixture.Get(books.Customer, $"/v1/blocks/{block}"))["versions"]![0]!["version"]!.GetValue<string>();

    /// <summary>A tenant that is billed by AWS Marketplace, with one run on one device.</summary>
    private static async Task<string> AnotherTenant(BooksFixture books)
    {
        var tenant = await books.Fixture.Host.CreateTenant();
        await books.Fixture.AddDevices(tenant, 1);
        await books.Fixture.Post(tenant.Client, "/v1/purchases", new { block = "static-routes", kind = "pay_per_use" });
        await books.Fixture.StartRun(client: tenant.Client);
        await books.Fixture.Work((await books.Fixture.Claim())!);
        return $"{tenant.Id}";
    }

    private static Task<long> Used(BooksFixture books) => books.Fixture.Scalar<long>("select used from billing.free_allowance");

    private static async Task Reconciled(BooksFixture books)
    {
        var view = (await books.Staff.Call("POST", "/operator/v1/reconciliation:run")).Must(HttpStatusCode.OK);
        view.Json.GetProperty("findings").GetArrayLength().ShouldBe(0, view.Text);
    }

    /// <summary>Rows that a reversal writes.</summary>
    private static Task<string> Rows(BooksFixture books) => books.Fixture.Scalar<string>(
        """
        select concat_ws(' ', (select count(*) from billing.reversal), (select count(*) from billing.adjustment),
          (select count(*) from billing.charge), (select count(*) from billing.usage_event), (select count(*) from billing.free_return),
          (select count(*) from web.audit_event))
        """);

    private static string Tenant(JsonElement view, string tenant)
    {
        var row = view.GetProperty("tenants").EnumerateArray().Single(each => each.Text("tenantId") == tenant);
        long Of(string name) => row.GetProperty(name).GetInt64();
        return $"{Of("runs")} runs {Of("charges")} charges {row.Micros("amount")}, "
            + $"left {Of("leftRuns")} runs {Of("leftCharges")} charges {row.Micros("leftAmount")}, "
            + $"before {Of("reversedBefore")}, covered {Of("coveredRuns")}";
    }

    /// <summary>What a tenant gets back where.</summary>
    private static string Sums(JsonElement view, string tenant) => string.Join(", ",
        view.GetProperty("tenants").EnumerateArray().Single(each => each.Text("tenantId") == tenant).GetProperty("ways").EnumerateArray()
            .Select(way => $"{way.Text("how")} {way.GetProperty("charges")} {way.Micros("amount")}"));

    private static List<string> Lines(JsonElement view) =>
        [.. Items(view).Select(
            line => $"{line.Text("sku")} {line.GetProperty("quantity")} {line.Micros("amount")} {line.GetProperty("how").GetString()}")];

    private static List<string> Ways(Answer answer) =>
        [.. Items(answer.Json).Select(line => line.Text("how"))];

    private static List<JsonElement> Items(JsonElement view) => [.. view.GetProperty("lines").GetProperty("items").EnumerateArray()];
}
