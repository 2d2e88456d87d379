using System.ComponentModel;
using CsvHelper;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Options;
using NetAutomation.Billing.Invoices;
using NetAutomation.Persistence;
using NetAutomation.Web;
using NetAutomation.Web.Http;

namespace NetAutomation.Billing.Usage;

/// <summary>
/// A month in the form of the FinOps Open Cost and Usage Specification, version 1.2. Charges of a direct month are those on its invoice,
/// whenever they occurred, so that what is billed under a number adds up to that invoice.
/// </summary>
internal static class FocusExport
{
    private const string Product = "NetAutomation";
    private static readonly TimeSpan _longest = TimeSpan.FromMinutes(2);

    // The columns that the specification makes mandatory, then the others, each in alphabetical order, then ours.
    private static readonly string[] _columns =
    [
        "BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency", "BillingPeriodEnd", "BillingPeriodStart",
        "ChargeCategory", "ChargeClass", "ChargeDescription", "ChargePeriodEnd", "ChargePeriodStart", "ContractedCost", "EffectiveCost",
        "InvoiceIssuerName", "ListCost", "PricingQuantity", "PricingUnit", "ProviderName", "PublisherName", "ServiceCategory",
        "ServiceName",
        "ChargeFrequency", "ConsumedQuantity", "ConsumedUnit", "ContractedUnitPrice", "InvoiceId", "ListUnitPrice", "PricingCategory",
        "ResourceId", "ResourceName", "ResourceType", "SkuId", "SkuMeter", "SkuPriceId", "SubAccountId", "SubAccountName", "Tags",
        "x_ChargeId", "x_CreditNote", "x_Credits", "x_RunId",
    ];

    /// <summary>The charges of a month as FOCUS 1.2 CSV, a row for each, those of devices a row for each device.</summary>
    public static async Task<Results<PushStreamHttpResult, Problem>> Handle(
        NetAutomationDb db, Caller caller, IOptions<BillingOptions> options, TimeProvider clock, HttpContext http, CancellationToken cancel,
        [Description("The month, yyyy-mm; the running one where omitted.")] string? month = null)
    {
        month ??= $"{clock.GetUtcNow():yyyy-MM}";
        if (OperateInvoices.Month(month) is not { } first)
        {
            return Problems.BadMonth("/month");
        }

        var name = (await db.Scalar<string>($"select name from onboarding.tenant where tenant_id = {caller.Tenant.Value}", cancel))!;
        var context = new Context(caller.Tenant, name, options.Value.Issuer.Split('\n')[0].Trim(), first);
        // A month may be long and its reader slow. A temporary file holds it, so that the transaction ends before the first byte is sent.
        var file = new FileStream(Path.Combine(Path.GetTempPath(), Path.GetRandomFileName()), new FileStreamOptions
        {
            Mode = FileMode.CreateNew, Access = FileAccess.ReadWrite, Options = FileOptions.DeleteOnClose | FileOptions.Asynchronous,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        });
        http.Response.RegisterForDisposeAsync(file);
        await using (var csv = Csv.Writer(file))
        {
            csv.Line(_columns);
            db.Extend(_longest);
            await foreach (var row in Read(db, caller.Tenant, first, cancel))
            {
                Write(csv, context, row);
            }
        }

        file.Position = 0;
        return ExportBody.Of(http, Csv.MediaType, $"focus-{month}.csv", body => Send(file, body));
    }

    private static async Task Send(FileStream file, ExportBody body)
    {
        var buffer = new byte[64 * 1024];
        for (var read = await file.ReadAsync(buffer, body.Cancel); read > 0; read = await file.ReadAsync(buffer, body.Cancel))
        {
            await body.Write(buffer.AsMemory(0, read));
        }
    }

    private static void Write(CsvWriter csv, Context context, Row row)
    {
        var priced = row.PriceVersionId is not null;
        var part = row.Sku?[(row.Sku.LastIndexOf('/') + 1)..] ?? "";
        var unit = !priced
            ? null : Wire.TryValue<PriceComponent>(part, out var component) ? component.Unit() : part == "month" ? "Months" : "Blocks";
        var category = (row.Sku, row.Adjustment, row.RunId, row.Rental) switch
        {
            (null, _, _, _) => "Adjustment",
            (_, "credit", _, _) => "Credit",
            (_, _, not null, _) => "Usage",
            (_, _, _, not null) => "Purchase",
            _ => "Adjustment",
        };
        var consumed = category == "Usage" && row.Credits is null;
        csv.Line(
            row.Amount, context.Tenant, context.Name, Money.Currency, context.Month.AddMonths(1), context.Month, category,
            row.Credits is null ? null : "Correction", row.Description, row.EndsAt, row.StartsAt, row.Amount, row.Amount,
            row.Marketplace ? "AWS Marketplace" : context.Issuer, row.ListPrice is { } list ? list * row.Quantity : row.Amount,
            priced ? row.Quantity : null, unit, Product, Product, "Networking", Product,
            category switch { "Usage" => "Usage-Based", "Purchase" when row.Rental == true => "Recurring", _ => "One-Time" },
            consumed ? row.Quantity : null, consumed ? unit : null, row.UnitPrice, row.Invoice, row.ListPrice, priced ? "Standard" : null,
            row.DeviceId, row.DeviceName, row.DeviceId is null ? null : "Device", row.Sku, row.Component, row.PriceVersionId, null, null,
            row.Tags, row.ChargeId, row.CreditNote, row.Credits, row.RunId);
    }

    private static IAsyncEnumerable<Row> Read(NetAutomationDb db, TenantId tenant, DateOnly month, CancellationToken cancel) =>
        db.Stream<Row>(
        $"""
        with months as (
          select * from billing.invoice
          where tenant_id = {tenant.Value} and kind = 'invoice' and state <> 'void' and lower(period) = {month}),
        own as (
          select c.*, m.number from months m
            join billing.invoice_line l on l.tenant_id = m.tenant_id and l.invoice_id = m.id and l.live
            join billing.charge c on c.tenant_id = l.tenant_id and c.id = l.charge_id
          union all
          select c.*, null from billing.charge c
          where c.tenant_id = {tenant.Value} and c.channel = 'marketplace' and c.occurred_at >= ({month}::timestamp at time zone 'UTC')
            and c.occurred_at < ({month.AddMonths(1)}::timestamp at time zone 'UTC'))
        select o.id as charge_id, o.sku, o.description, o.channel = 'marketplace' as marketplace, t.quantity, t.amount_micros as amount,
          o.price_version_id, p.unit_micros as unit_price, coalesce(g.unit_micros, p.unit_micros) as list_price,
          t.component, t.run_id, t.device_id, d.name as device_name, e.kind = 'rental' as rental,
          a.kind as adjustment, a.credit_note_number as credit_note, i.number as credits, o.number as invoice,
          case when e.kind = 'rental' then e.starts_at else o.occurred_hour end as starts_at,
          case when e.kind = 'rental' then e.ends_at else o.occurred_hour + interval '1 hour' end as ends_at,
          case when r.id is not null then (r.labels || jsonb_strip_nulls(
                 jsonb_build_object('netautomation:block', r.block, 'netautomation:guard', d.guard)))::text
               when e.id is not null then jsonb_build_object('netautomation:block', e.block)::text end as tags
        from own o
          join billing.charge_part t on t.tenant_id = o.tenant_id and t.charge_id = o.id
          left join billing.price_version p on p.id = o.price_version_id
          left join billing.price_version g on p.scope <> '00000000-0000-0000-0000-000000000000'
            and g.sku = p.sku and g.currency = p.currency and g.scope = '00000000-0000-0000-0000-000000000000' and g.valid @> o.occurred_at
          left join billing.adjustment a on a.tenant_id = o.tenant_id and a.id = o.adjustment_id
          left join billing.charge b on b.tenant_id = a.tenant_id and b.id = a.reverses
          left join billing.invoice i on i.tenant_id = a.tenant_id and i.id = a.credits
          left join purchasing.entitlement e on e.tenant_id = o.tenant_id and e.purchase_id = coalesce(o.purchase_id, b.purchase_id)
          left join runs.run r on r.tenant_id = o.tenant_id and r.id = t.run_id
          left join runs.run_device d on d.tenant_id = o.tenant_id and d.run_id = t.run_id and d.device_id = t.device_id
        union all
        select null, null, 'Lines rounded to cents', false, 1, m.rounding_micros,
          null, null, null, null, null, null, null, null, null, null, null, m.number,
          lower(m.period)::timestamp at time zone 'UTC', upper(m.period)::timestamp at time zone 'UTC', null
        from months m where m.state = 'issued' and m.rounding_micros <> 0
        order by charge_id nulls last, device_id
        """,
        cancel);

    private sealed record Context(TenantId Tenant, string Name, string Issuer, DateOnly First)
    {
        public DateTimeOffset Month => new(First, TimeOnly.MinValue, TimeSpan.Zero);
    }

    private sealed record Row(
        ChargeId? ChargeId, string? Sku, string Description, bool Marketplace, long Quantity, Money Amount,
        PriceVersionId? PriceVersionId, Money? UnitPrice, Money? ListPrice, string? Component, RunId? RunId, DeviceId? DeviceId,
        string? DeviceName, bool? Rental, string? Adjustment, string? CreditNote, string? Credits, string? Invoice,
        DateTimeOffset StartsAt, DateTimeOffset EndsAt, string? Tags);
}
