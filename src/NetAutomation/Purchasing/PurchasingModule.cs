using NetAutomation.Platform;
using NetAutomation.Purchasing.Buy;
using NetAutomation.Purchasing.Rights;

namespace NetAutomation.Purchasing;

internal static class PurchasingModule
{
    public static void MapPurchasing(this ApiRoutes routes)
    {
        var group = routes.Customer.MapGroup("").WithTags("Purchasing");
        group.MapPost("/purchases", BuyBlock.Handle).WithName("BuyBlock").WithMetadata(
            new IdempotencyRequired(),
            new Refuses(
                Problems.AlreadyEntitled, Problems.NotOffered, Catalog.Problems.VersionWithdrawn, Billing.Problems.PriceAboveMax,
                Billing.Problems.BudgetExceeded, Billing.Problems.NotBillable));
        group.MapGet("/purchases", ListPurchases.Handle).WithName("ListPurchases");
        group.MapGet("/purchases/{id}", ListPurchases.GetPurchase).WithName("GetPurchase");
        group.MapGet("/entitlements", ListEntitlements.Handle).WithName("ListEntitlements");
        group.MapGet("/entitlements/{id}", ListEntitlements.GetEntitlement).WithName("GetEntitlement");
        group.MapPatch("/entitlements/{id}", ListEntitlements.ChangeEntitlement).WithName("ChangeEntitlement");
    }
}
