using NetAutomation.Tenants.Accounts;
using NetAutomation.Tenants.Agreements;
using NetAutomation.Tenants.Lifecycle;
using NetAutomation.Tenants.Operators;
using NetAutomation.Tenants.Reading;
using NetAutomation.Web;
using NetAutomation.Web.Loops;

namespace NetAutomation.Tenants;

/// <summary>Tenants, their agreements and AWS accounts.</summary>
internal static class TenantsModule
{
    public static void AddTenants(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddOptions<TenantsOptions>().BindConfiguration("Onboarding").ValidateDataAnnotations().ValidateOnStart();
        services.AddSingleton<TenantDirectory>();
        services.AddScoped<ApplyEvents>();
        services.AddScoped<TenantState>();
        services.AddScoped<Suspension>();
        services.AddScoped<Offboard>();
        services.AddScoped<BuyerTenants>();
        services.AddSingleton<CallerIdentity>();
        services.AddScoped<ProveAccount>();
        services.AddSingleton(
            ExportPart.Of("audit_event", (from, page, cancel) => ReadAudit.ListAudit(from.Db, from.Caller, page, cancel)));
    }

    /// <summary>The scheduler role: follows AWS Marketplace.</summary>
    public static void AddTenantsLoops(this IHostApplicationBuilder builder)
    {
        if (builder.Configuration["Marketplace:QueueUrl"] is { Length: > 0 })
        {
            builder.Services.AddLoop<EventLoop>("tenants.events", TimeSpan.Zero, (events, cancel) => events.Run(cancel));
        }

        builder.Services.AddOneProcessLoop<SweepEvents>(
            "tenants.sweep-events", TimeSpan.FromMinutes(1), (sweep, cancel) => sweep.Run(cancel));
        builder.Services.AddOneProcessLoop<ConfirmContracts>(
            "tenants.confirm-contracts", TimeSpan.FromMinutes(1), (confirm, cancel) => confirm.Run(cancel));
        builder.Services.AddOneProcessLoop<SuspendRefused>(
            "tenants.suspend-refused", TimeSpan.FromSeconds(30), (suspend, cancel) => suspend.Run(cancel));
        builder.Services.AddOneProcessLoop<OffboardEnded>(
            "tenants.offboard", TimeSpan.FromSeconds(15), (offboard, cancel) => offboard.Run(cancel));
    }

    public static void MapTenants(this ApiRoutes routes)
    {
        var customer = routes.Customer.WithTags("Tenant");
        customer.MapGet("/me", WhoAmI.GetMe).WithName("GetMe").WithMetadata(new OwnTransaction());
        var accounts = customer.MapGroup("/aws-accounts");
        accounts.MapGet("", ManageAccounts.List).WithName("ListAwsAccounts");
        accounts.MapPost("", ManageAccounts.Claim).WithName("ClaimAwsAccount")
            .WithMetadata(new RequiredRole(MemberRole.Admin), new Refuses(Problems.AccountKnown, Web.Problems.LimitReached));
        accounts.MapPost("/{account}:prove", ManageAccounts.Prove).WithName("ProveAwsAccount")
            .WithMetadata(
                new RequiredRole(MemberRole.Admin), new OwnTransaction(),
                new Refuses(Problems.NoChallenge, Problems.BadProof, Problems.StsUnavailable));
        accounts.MapDelete("/{account}", ManageAccounts.Remove).WithName("RemoveAwsAccount")
            .WithMetadata(new RequiredRole(MemberRole.Admin), new Unconditional(), new Refuses(Problems.LastAccount));
        customer.MapGet("/audit", ReadAudit.ListAudit).WithName("ListAudit");
        customer.MapGet("/feed", ReadFeed.Handle).WithName("ReadFeed").WithMetadata(new OwnTransaction());
        customer.MapGet("/limits", ShowLimits.Handle).WithName("ListLimits");
        customer.MapGet("/export", ExportTenant.Handle).WithName("ExportTenant").WithMetadata(new OwnTransaction())
            .Produces<string>(200, ExportTenant.MediaType);

        var staff = routes.Operator;
        staff.MapGet("/tenants", OperateTenants.List);
        staff.MapGet("/tenants/{id}", OperateTenants.Get);
        staff.MapPost("/tenants/{id}:export", ExportTenant.ForOperator);
        staff.MapPost("/tenants/{id}/requests", OperateRequests.Make);
        staff.MapGet("/requests", OperateRequests.List);
        staff.MapGet("/requests/{id}", OperateRequests.Get);
        staff.MapPost("/requests/{id}:approve", OperateRequests.Approve);
        staff.MapGet("/tenants/{id}/limits", OperateLimits.List);
        staff.MapPut("/tenants/{id}/limits/{limit}", OperateLimits.Put);
        staff.MapPost("/tenants/{id}:suspend", OperateTenants.Suspend);
        staff.MapPost("/tenants/{id}:reactivate", OperateTenants.Reactivate);
        staff.MapPost("/tenants/{id}:offboard", OperateOffboarding.Start);
        staff.MapGet("/tenants/{id}/offboarding", OperateOffboarding.Get);
        staff.MapGet("/account-claims", OperateClaims.List);
        staff.MapPost("/tenants/{id}:issue-key", OperateTenants.IssueKey);
        staff.MapPut("/tenants/{id}/accounts/{account}", OperateTenants.AddAccount);
        staff.MapDelete("/tenants/{id}/accounts/{account}", OperateTenants.RemoveAccount);
        staff.MapGet("/agreements", OperateAgreements.List);
        staff.MapGet("/agreements/{id}", OperateAgreements.Get);
        staff.MapPatch("/agreements/{id}", OperateAgreements.Patch).WithMetadata(new RequiredOperatorRole(OperatorRole.Money));
        staff.MapGet("/audit", ReadAudit.ListAllAudit);
    }
}
