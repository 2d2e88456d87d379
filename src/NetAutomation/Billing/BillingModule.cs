using NetAutomation.Billing.Budgets;
using NetAutomation.Billing.Invoices;
using NetAutomation.Billing.Prices;
using NetAutomation.Billing.Receipts;
using NetAutomation.Billing.Usage;
using NetAutomation.Platform;

namespace NetAutomation.Billing;

internal static class BillingModule
{
    public static void AddBilling(this IHostApplicationBuilder builder) => builder.Services.AddScoped<UsageLedger>();

    public static void MapBilling(this ApiRoutes routes)
    {
        var group = routes.Customer.MapGroup("").WithTags("Billing");
        group.MapGet("/usage", ListUsage.Handle).WithName("ListUsage");
        group.MapGet("/invoices", ListInvoices.Handle).WithName("ListInvoices");
        group.MapGet("/invoices/{id}", ListInvoices.GetInvoice).WithName("GetInvoice");
        group.MapGet("/budget", Budget.GetBudget).WithName("GetBudget");
        group.MapPut("/budget", Budget.PutBudget).WithName("PutBudget").WithMetadata(new RequiredRole(MemberRole.Admin));
        group.MapGet("/receipts", ExportReceipts.Handle).WithName("ExportReceipts").WithMetadata(new OwnTransaction())
            .Produces<string>(200, ExportReceipts.MediaType);

        routes.Operator.MapGet("/prices", OperatePrices.List);
        routes.Operator.MapPost("/prices", OperatePrices.Set);
        routes.Operator.MapPost("/prices/{id}:end", OperatePrices.End);
    }
}
