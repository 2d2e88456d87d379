using NetAutomation.Purchasing.Buy;
using NetAutomation.Purchasing.Rights;
using NetAutomation.Web;
using NetAutomation.Web.Loops;

namespace NetAutomation.Purchasing;

internal static class PurchasingModule
{
    public static void AddPurchasing(this IHostApplicationBuilder builder) => builder.Services
        .AddSingleton(ExportPart.Of("purchase", (from, page, cancel) => ListPurchases.Handle(from.Db, from.Caller, page, cancel)))
        .AddSingleton(ExportPart.Of("entitlement", (from, page, cancel) => ListEntitlements.Handle(from.Db, from.Caller, page, cancel)));

    /// <summary>The scheduler role's part.</summary>
    public static void AddPurchasingLoops(this IHostApplicationBuilder builder)
    {
        builder.Services.AddOneProcessLoop<RenewRentals>(
            "purchasing.renew-rentals", TimeSpan.FromMinutes(5), (renew, cancel) => renew.Run(cancel));
        builder.Services.AddOneProcessLoop<SyncContracts>(
            "purchasing.sync-contracts", TimeSpan.FromMinutes(1), (sync, cancel) => sync.Run(cancel));
    }

    public static void MapPurchasing(this ApiRoutes routes)
    {
        var group = routes.Customer.MapGroup("").WithTags("Purchasing");
        group.MapPost("/purchases", BuyBlock.Handle).WithName("BuyBlock").WithMetadata(
            new RequiredRole(MemberRole.Admin), new IdempotencyRequired(),
            new Refuses(
                Problems.AlreadyEntitled, Problems.NotOffered, Catalog.Problems.VersionWithdrawn, Billing.Problems.PriceAboveMax,
                Billing.Problems.BudgetExceeded, Billing.Problems.NotBillable, Billing.Problems.NotSubscribed,
                Billing.Problems.PaymentOverdue));
        group.MapGet("/purchases", ListPurchases.Handle).WithName("ListPurchases");
        group.MapGet("/purchases/{id}", ListPurchases.GetPurchase).WithName("GetPurchase");
        group.MapGet("/entitlements", ListEntitlements.Handle).WithName("ListEntitlements");
        group.MapGet("/entitlements/{id}", ListEntitlements.GetEntitlement).WithName("GetEntitlement");
        group.MapPatch("/entitlements/{id}", ListEntitlements.ChangeEntitlement).WithName("ChangeEntitlement")
            .WithMetadata(new RequiredRole(MemberRole.Admin));
    }
}
