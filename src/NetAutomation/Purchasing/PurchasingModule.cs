using NetAutomation.Purchasing.Buy;
using NetAutomation.Purchasing.Contracts;
using NetAutomation.Purchasing.Rights;
using NetAutomation.Web;
using Quartz;

namespace NetAutomation.Purchasing;

internal static class PurchasingModule
{
    public static void AddPurchasing(this IHostApplicationBuilder builder) => builder.Services
        .AddSingleton(ExportPart.Of("purchase", (from, page, cancel) => ListPurchases.Handle(from.Db, from.Caller, page, cancel)))
        .AddSingleton(ExportPart.Of("entitlement", (from, page, cancel) => ListEntitlements.Handle(from.Db, from.Caller, page, cancel)));

    /// <summary>The scheduler role's part.</summary>
    public static void AddPurchasingJobs(this IHostApplicationBuilder builder) => builder.Services.AddQuartz(quartz =>
    {
        quartz.ScheduleJob<RenewRentals>(trigger => trigger.WithIdentity("renew-rentals").StartNow().WithSchedule(
            SimpleScheduleBuilder.Create().WithInterval(TimeSpan.FromMinutes(5)).RepeatForever()));
        quartz.ScheduleJob<SyncContracts>(trigger => trigger.WithIdentity("sync-contracts").StartNow().WithSchedule(
            SimpleScheduleBuilder.Create().WithInterval(TimeSpan.FromMinutes(1)).RepeatForever()));
    });

    public static void MapPurchasing(this ApiRoutes routes)
    {
        var group = routes.Customer.MapGroup("").WithTags("Purchasing");
        group.MapPost("/purchases", BuyBlock.Handle).WithName("BuyBlock").WithMetadata(
            new IdempotencyRequired(),
            new Refuses(
                Problems.AlreadyEntitled, Problems.NotOffered, Catalog.Problems.VersionWithdrawn, Billing.Problems.PriceAboveMax,
                Billing.Problems.BudgetExceeded, Billing.Problems.NotBillable, Billing.Problems.NotSubscribed, Billing.Problems.PaymentOverdue));
        group.MapGet("/purchases", ListPurchases.Handle).WithName("ListPurchases");
        group.MapGet("/purchases/{id}", ListPurchases.GetPurchase).WithName("GetPurchase");
        group.MapGet("/entitlements", ListEntitlements.Handle).WithName("ListEntitlements");
        group.MapGet("/entitlements/{id}", ListEntitlements.GetEntitlement).WithName("GetEntitlement");
        group.MapPatch("/entitlements/{id}", ListEntitlements.ChangeEntitlement).WithName("ChangeEntitlement");
    }
}
