using NetAutomation.History.Read;
using NetAutomation.History.Retain;
using NetAutomation.Web;
using NetAutomation.Web.Loops;

namespace NetAutomation.History;

/// <summary>What configurations devices had, when, and by whose run.</summary>
internal static class HistoryModule
{
    public static void AddHistory(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddScoped<ConfigHistory>().AddScoped<ConfigTexts>().AddScoped<HistoryRoom>();
        services.AddSingleton(new ExportPart("config", ExportConfigs.Rows));
    }

    /// <summary>The scheduler role's part.</summary>
    public static void AddHistoryLoops(this IHostApplicationBuilder builder) =>
        builder.Services.AddOneProcessLoop<ForgetConfigs>(
            "history.forget", TimeSpan.FromHours(1), (forget, cancel) => forget.Run(cancel));

    public static void MapHistory(this ApiRoutes routes)
    {
        var group = routes.Customer.MapGroup("").WithTags("History");
        group.MapGet("/devices/{id}/configs", ReadConfigs.List).WithName("ListConfigs");
        group.MapGet("/devices/{id}/configs/{configId}", ReadConfigs.Show).WithName("ShowConfig")
            .WithMetadata(new Refuses(Web.Problems.RoleInsufficient));
        group.MapGet("/devices/{id}/configs:diff", ReadConfigs.Diff).WithName("DiffConfigs");
        group.MapGet("/configs:search", SearchConfigs.Handle).WithName("SearchConfigs")
            .WithMetadata(new Refuses(Web.Problems.TooCostly));
        group.MapGet("/config-retention", Retention.Show).WithName("GetConfigRetention");
        group.MapPut("/config-retention", Retention.Put).WithName("PutConfigRetention").WithMetadata(new RequiredRole(MemberRole.Admin));
    }
}
