using System.Net;
using System.Text.Json;
using NetAutomation.Runs;
using NetAutomation.Tests.Runs;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Billing;

/// <summary>A tenant that is billed directly, the provider's staff, and data that can be moved into the past.</summary>
internal sealed class BooksFixture : IAsyncDisposable
{
    private BooksFixture(RunFixture fixture) => (Fixture, Staff) = (fixture, fixture.Host.Operator());

    public RunFixture Fixture { get; }

    public HttpClient Staff { get; }

    public HttpClient Customer => Fixture.Client;

    public string Tenant => Fixture.Tenant.Id.ToString();

    public static async Task<BooksFixture> Open(PostgresServer postgres, bool direct = true, int devices = 3)
    {
        var books = new BooksFixture(await RunFixture.Start(postgres, devices));
        if (direct)
        {
            (await books.Staff.Call("PATCH", $"/operator/v1/agreements/{books.Fixture.Tenant.Agreement}", new { channel = "direct" }, "*"))
                .Must(HttpStatusCode.OK);
        }

        return books;
    }

    /// <summary>The books of a fixture's tenant, which the fixture ends.</summary>
    public static BooksFixture Of(RunFixture fixture) => new(fixture);

    /// <summary>Completes a run: 0.10 for the run and 0.05 for each device that is <c>changed</c>.</summary>
    public async Task<RunId> Run(params DeviceOutcome[] outcomes)
    {
        await Fixture.StartRun();
        var run = (await Fixture.Claim())!;
        await Fixture.Work(run, outcomes);
        return run.Id;
    }

    /// <summary>Adds a charge of exactly this amount, without the price list: a debit.</summary>
    public Task<Answer> Debit(long micros) =>
        Adjust(new { tenantId = Tenant, kind = "debit", document = Key(), reason = "sample", amount = Money(micros) });

    public Task<Answer> Credit(long micros) =>
        Adjust(new { tenantId = Tenant, kind = "credit", document = Key(), reason = "sample", amount = Money(micros) });

    public Task<Answer> Reverse(string charge) =>
        Adjust(new { tenantId = Tenant, kind = "reversal", document = Key(), reason = "sample", chargeId = charge });

    public Task<Answer> Adjust(object body) => Staff.Call("POST", "/operator/v1/adjustments", body);

    public async Task<IReadOnlyList<JsonElement>> Charges(string filter = "") =>
        [.. (await Staff.Call("GET", $"/operator/v1/charges?limit=200&tenantId={Tenant}{filter}"))
            .Must(HttpStatusCode.OK).Json.GetProperty("items").EnumerateArray()];

    public async Task<IReadOnlyList<JsonElement>> Invoices() =>
        [.. (await Customer.Call("GET", "/v1/invoices?limit=200")).Must(HttpStatusCode.OK).Json.GetProperty("items").EnumerateArray()];

    public async Task<JsonElement> Invoice(string id) => (await Customer.Call("GET", $"/v1/invoices/{id}")).Must(HttpStatusCode.OK).Json;

    public async Task<JsonElement> Draft() => (await Invoices()).Single(invoice => invoice.Text("state") == "draft");

    /// <summary>The month to which <see cref="AMonthPasses"/> moves that of today.</summary>
    public static DateTime PastMonth => DateTime.UtcNow.AddMonths(-2);

    /// <summary>
    /// Moves all data into a past month, as only the owner of the schema could. Not into the last one, which in its first days is not
    /// over for good.
    /// </summary>
    public Task AMonthPasses() => Damage(
        """
        update billing.invoice set period = daterange(
          (lower(period) - interval '2 months')::date, (lower(period) - interval '1 month')::date) where state = 'draft';
        update billing.charge set occurred_at = occurred_at - interval '2 months';
        update billing.usage_event set occurred_at = occurred_at - interval '2 months';
        """);

    /// <summary>Marks all charges as metered at AWS Marketplace.</summary>
    public Task Meter() => Damage(
        """
        insert into billing.metering_allocation (tenant_id, charge_id, record_id, currency, amount_micros)
        select tenant_id, id, gen_random_uuid(), currency, amount_micros from billing.charge where channel = 'marketplace'
        on conflict do nothing
        """);

    /// <summary>Changes rows without triggers and foreign keys.</summary>
    public Task Damage(string sql) => Fixture.Sql($"set session_replication_role = replica; {sql}; set session_replication_role = origin");

    /// <summary>Issues the draft of a past month.</summary>
    public async Task<JsonElement> Issue(string? id = null)
    {
        id ??= (await Draft()).Text("id");
        return (await Staff.Call("POST", $"/operator/v1/invoices/{id}:issue")).Must(HttpStatusCode.OK).Json.GetProperty("invoice");
    }

    public Task<Answer> Void(string id) => Staff.Call("POST", $"/operator/v1/invoices/{id}:void", new { reason = "sample" });

    public Task<Answer> Pay(string id, long micros, string reference) =>
        Staff.Call("POST", $"/operator/v1/invoices/{id}:record-payment", new { amount = Money(micros), reference });

    public static object Money(long micros) => new { amount = new Money(micros).ToString(), currency = "USD" };

    public static string Key() => $"doc-{Guid.NewGuid():n}";

    public async ValueTask DisposeAsync() => await Fixture.DisposeAsync();
}

internal static class JsonElementReading
{
    public static string Text(this JsonElement element, string name) => element.GetProperty(name).GetString()!;

    public static long Micros(this JsonElement element, string name) => Money.Read(element.GetProperty(name).Text("amount"))!.Value.Micros;
}
