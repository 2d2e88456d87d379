using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Options;
using NetAutomation.Billing.Invoices;
using NetAutomation.Billing.Ledger;
using NetAutomation.Billing.Metering;
using NetAutomation.Billing.Operators;
using NetAutomation.Billing.Receipts;
using NetAutomation.Billing.Reconcile;
using NetAutomation.Billing.Usage;
using NetAutomation.Web;
using NetAutomation.Web.Loops;
using NetAutomation.Web.Telemetry;

namespace NetAutomation.Billing;

internal static class BillingModule
{
    public static void AddBilling(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddOptions<BillingOptions>().BindConfiguration("Billing").ValidateDataAnnotations().ValidateOnStart();
        services.AddOptions<MeteringOptions>().BindConfiguration("Metering").ValidateDataAnnotations().ValidateOnStart();
        services.AddScoped<UsageLedger>().AddScoped<ReverseRuns>();
        services.AddScoped<IssueInvoices>().AddScoped<CloseBooks>();
        services.AddScoped<UsageReporting>().AddScoped<SealUsage>().AddScoped<SendUsage>().AddScoped<WatchUsage>();
        services.AddInstruments<MeteringMetrics>();
        services.AddInstruments<BooksMetrics>();
        services.AddSingleton(ExportPart.Of<UsageView>(
            "usage",
            async (from, page, cancel) => (Ok<Page<UsageView>>)(await ListUsage.Handle(from.Db, from.Caller, page, cancel)).Result));
        services.AddSingleton(new ExportPart("receipt", (from, cancel) => ExportReceipts.Rows(from.Db, from.Caller.Tenant, cancel)));
        services.AddSingleton(ExportPart.Of(
            "invoice",
            (from, page, cancel) =>
                ListInvoices.Handle(from.Db, from.Caller, page, from.Services.GetRequiredService<IOptions<BillingOptions>>(), cancel)));
    }

    /// <summary>The scheduler role's part.</summary>
    public static void AddBillingLoops(this IHostApplicationBuilder builder)
    {
        builder.Services.AddOneProcessLoop<UsageReporting>(
            "billing.report-usage", TimeSpan.FromSeconds(30), (reporting, cancel) => reporting.Report(cancel));
        builder.Services.AddOneProcessLoop<CloseBooks>("billing.close-books", TimeSpan.FromHours(1), (books, cancel) => books.Run(cancel));
    }

    public static void MapBilling(this ApiRoutes routes)
    {
        var group = routes.Customer.MapGroup("").WithTags("Billing");
        group.MapGet("/usage", ListUsage.Handle).WithName("ListUsage").AddOpenApiOperationTransformer(ListUsage.Describe);
        group.MapGet("/usage/focus.csv", FocusExport.Handle).WithName("ExportFocus").Produces<string>(200, Csv.MediaType);
        group.MapGet("/invoices", ListInvoices.Handle).WithName("ListInvoices");
        group.MapGet("/invoices/{id}", ListInvoices.GetInvoice).WithName("GetInvoice");
        group.MapGet("/invoices/{id}/html", ListInvoices.GetHtml).WithName("GetInvoicePage").Produces<string>(200, "text/html");
        group.MapGet("/invoices/{id}/csv", ListInvoices.GetCsv).WithName("GetInvoiceCsv").Produces<string>(200, Csv.MediaType);
        group.MapGet("/invoices/{id}/document", ListInvoices.GetDocument).WithName("GetInvoiceDocument")
            .Produces<string>(200, "application/json");
        group.MapGet("/budget", Budget.GetBudget).WithName("GetBudget");
        group.MapPut("/budget", Budget.PutBudget).WithName("PutBudget").WithMetadata(new RequiredRole(MemberRole.Admin));
        group.MapGet("/receipts", ExportReceipts.Handle).WithName("ExportReceipts").WithMetadata(new OwnTransaction())
            .Produces<string>(200, ExportReceipts.MediaType);

        var staff = routes.Operator;
        var money = new RequiredOperatorRole(OperatorRole.Money);
        staff.MapGet("/prices", OperatePrices.List);
        staff.MapPost("/prices", OperatePrices.Set).WithMetadata(money);
        staff.MapPost("/prices/{id}:end", OperatePrices.End).WithMetadata(money);
        staff.MapGet("/charges", ListAdjustments.Charges);
        staff.MapGet("/adjustments", ListAdjustments.Handle);
        staff.MapPost("/adjustments", MakeAdjustment.Handle).WithMetadata(money);
        staff.MapGet("/reversals", OperateReversals.List);
        staff.MapPost("/reversals", OperateReversals.Make).WithMetadata(money, new OwnTransaction());
        staff.MapGet("/reversals/{id}", OperateReversals.Get);
        staff.MapGet("/invoices", OperateInvoices.List);
        staff.MapGet("/invoices/{id}", OperateInvoices.Get);
        staff.MapGet("/invoices/{id}/html", OperateInvoices.GetHtml);
        staff.MapPost("/invoices/{id}:issue", OperateInvoices.Issue).WithMetadata(money, new OwnTransaction());
        staff.MapPost("/invoices/{id}:void", OperateInvoices.Void).WithMetadata(money);
        staff.MapPost("/invoices/{id}:record-payment", OperateInvoices.RecordPayment).WithMetadata(money);
        staff.MapGet("/metering", OperateMetering.Summary);
        staff.MapGet("/metering-records", OperateMetering.List);
        staff.MapGet("/metering-records/{id}", OperateMetering.Get);
        staff.MapPost("/metering-records/{id}:carry", OperateMetering.Carry).WithMetadata(money);
        staff.MapPost("/metering-records/{id}:confirm", OperateMetering.Confirm).WithMetadata(money);
        staff.MapPost("/billing-periods/{period}:close", OperateInvoices.ClosePeriod).WithMetadata(money, new OwnTransaction());
        staff.MapGet("/reconciliation", OperateReconciliation.Get);
        staff.MapGet("/reconciliation/html", OperateReconciliation.GetHtml);
        staff.MapPost("/reconciliation:run", OperateReconciliation.Run).WithMetadata(new OwnTransaction());
    }
}
