using NetAutomation.Connectors;
using NetAutomation.Runs.Cancel;
using NetAutomation.Runs.Dispatch;
using NetAutomation.Runs.Explain;
using NetAutomation.Runs.Follow;
using NetAutomation.Runs.Guards;
using NetAutomation.Runs.Plans;
using NetAutomation.Runs.Resolve;
using NetAutomation.Runs.Start;
using NetAutomation.Runs.Windows;
using NetAutomation.Web;
using NetAutomation.Web.Loops;
using NetAutomation.Web.Telemetry;

namespace NetAutomation.Runs;

internal static class RunsModule
{
    public static void AddRuns(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddOptions<RunsOptions>().BindConfiguration("Runs").ValidateDataAnnotations().ValidateOnStart();
        services.AddInstruments<RunMetrics>();
        services.AddSingleton<RunSignals>().AddHostedService<RunBells>();
        services.AddScoped<RunQueue>().AddScoped<RunJournal>().AddScoped<RunEndings>().AddScoped<TenantRuns>().AddScoped<Planner>()
            .AddScoped<RunLauncher>().AddScoped<WindowCalendars>().AddScoped<RefreshWindows>().AddScoped<PlanStates>()
            .AddScoped<Guarding>();
        services.AddSingleton<IDialGate, RunDialGate>();
        services.AddSingleton(ExportPart.Of("window", (from, page, cancel) => ReadWindows.List(page, from.Db, cancel)));
        services.AddSingleton(ExportPart.Of("plan", (from, page, cancel) => ReadPlans.ListPlans(from.Db, from.Caller, page, cancel)));
        services.AddSingleton(ExportPart.Of("run", (from, page, cancel) => GetRuns.ListRuns(from.Db, from.Caller, page, cancel)));
    }

    /// <summary>The scheduler role's part: lost workers, overdue runs, partitions.</summary>
    public static void AddRunsLoops(this IHostApplicationBuilder builder)
    {
        var (often, rarely) = (TimeSpan.FromSeconds(2), TimeSpan.FromMinutes(1));
        var services = builder.Services.AddSingleton<RescueRuns>();
        services.AddLoop<RunQueue>("runs.make-partitions", rarely, (queue, cancel) => queue.MakePartitions(cancel));
        services.AddLoop<RunUpkeep>("runs.drop-events", rarely, (upkeep, cancel) => upkeep.DropEvents(cancel));
        services.AddOneProcessLoop<RunQueue>("runs.forget-quotes", TimeSpan.FromHours(1), (queue, cancel) => queue.ForgetQuotes(cancel));
        services.AddOneProcessLoop<RunQueue>("runs.forget-plans", TimeSpan.FromHours(1), (queue, cancel) => queue.ForgetPlans(cancel));
        services.AddLoop<RescueRuns>("runs.rescue", often, (rescue, cancel) => rescue.Run(cancel));
        services.AddLoop<RunQueue>("runs.reopen", often, (queue, cancel) => queue.Reopen(cancel));
        services.AddLoop<RunUpkeep>("runs.expire", often, (upkeep, cancel) => upkeep.Expire(cancel));
        services.AddLoop<MeasureQueue>("runs.measure-queue", TimeSpan.FromSeconds(15), (queue, cancel) => queue.Run(cancel));
        services.AddLoop<RefreshWindows>("runs.refresh-windows", often, (windows, cancel) => windows.Sweep(cancel));
    }

    public static void MapRuns(this ApiRoutes routes)
    {
        var group = routes.Customer.MapGroup("").WithTags("Runs");
        ProblemType[] starting =
            [.. RunLauncher.PlanRefusals, Billing.Problems.BudgetExceeded, Billing.Problems.NotBillable, Billing.Problems.NotSubscribed,
                Billing.Problems.PaymentOverdue, Problems.QuoteUsed, Problems.QuoteExpired, Problems.QuoteDrift, Web.Problems.LimitReached,
                Problems.ApprovalRequired, Problems.PlanUsed, Problems.PlanExpired, Problems.PlanNotReady, Problems.PlanDrift];
        group.MapPost("/quotes", QuoteRun.Handle).WithName("QuoteRun")
            .WithMetadata(new Refuses([.. RunLauncher.PlanRefusals, Web.Problems.LimitReached]));
        group.MapGet("/quotes/{id}", QuoteRun.GetQuote).WithName("GetQuote");
        group.MapPost("/runs", StartRun.Handle).WithName("StartRun").WithMetadata(new IdempotencyRequired(), new Refuses(starting));
        group.MapPost("/runs:batch", StartRuns.Handle).WithName("StartRuns")
            .WithMetadata(new IdempotencyRequired(), new Refuses(starting));
        group.MapPost("/runs/{id}:relaunch", RelaunchRun.Handle).WithName("RelaunchRun")
            .WithMetadata(new IdempotencyRequired(), new Refuses([.. starting, Problems.RunNotFinished]));
        group.MapPost("/devices/{id}/configs/{configId}:restore", RestoreConfig.Handle).WithName("RestoreConfig")
            .WithMetadata(new IdempotencyRequired(), new Refuses(starting));
        group.MapGet("/runs", GetRuns.ListRuns).WithName("ListRuns").WithMetadata(new OwnTransaction());
        group.MapGet("/runs/{id}", GetRuns.GetRun).WithName("GetRun").WithMetadata(new OwnTransaction());
        group.MapGet("/runs/{id}/devices", GetRunDevices.ListRunDevices).WithName("ListRunDevices");
        group.MapGet("/runs/{id}/devices/{deviceId}", GetRunDevices.GetRunDevice).WithName("GetRunDevice");
        group.MapGet("/runs/{id}/devices/{deviceId}/diff", GetRunDevices.GetDiff).WithName("GetRunDeviceDiff")
            .Produces<string>(200, "text/plain");
        group.MapGet("/runs/{id}/devices/{deviceId}/artifacts", GetRunDevices.ListArtifacts).WithName("ListArtifacts");
        group.MapGet("/runs/{id}/devices/{deviceId}/artifacts/{name}", GetRunDevices.GetArtifact).WithName("GetArtifact")
            .Produces<byte[]>(200, "application/octet-stream").Produces<byte[]>(206, "application/octet-stream")
                // A file may hold a device's configuration as it is.
                .WithMetadata(new RequiredRole(MemberRole.Operator), new Refuses(Web.Problems.RangeNotSatisfiable));
        group.MapGet("/runs/{id}/log", RunLog.Handle).WithName("GetRunLog").Produces<string>(200, "text/plain")
            .Produces<string>(206, "text/plain")
                .WithMetadata(new OwnTransaction(), new Refuses(Web.Problems.RangeNotSatisfiable, Problems.EventsDropped));
        group.MapGet("/runs/{id}/events", FollowRun.Handle).WithName("FollowRun").WithMetadata(new OwnTransaction())
            .Produces<RunEventPage>(200, "application/json", "text/event-stream").Produces(204)
                .WithMetadata(new Refuses(Problems.EventsDropped));
        group.MapGet("/runs/{id}/why", ExplainRun.Handle).WithName("ExplainRun");
        group.MapGet("/runs/{id}/cancel-preview", PreviewCancel.Handle).WithName("PreviewCancel");
        group.MapPost("/runs/{id}:resolve", ResolveRun.Handle).WithName("ResolveRun")
            .WithMetadata(new IdempotencyRequired(), new Refuses(Problems.RunNotUnknown));
        group.MapPost("/runs/{id}:cancel", CancelRun.Handle).WithName("CancelRun")
            .WithMetadata(new AllowedWhenSuspended(), new Refuses(Problems.RunFinished));

        var plans = routes.Customer.MapGroup("/plans").WithTags("Plans");
        plans.MapPost("/", MakePlan.Handle).WithName("MakePlan").WithMetadata(
            new IdempotencyRequired(),
            new Refuses(
                [.. RunLauncher.PlanRefusals, Billing.Problems.NotBillable, Billing.Problems.NotSubscribed, Billing.Problems.PaymentOverdue,
                    Billing.Problems.BudgetExceeded, Web.Problems.LimitReached]));
        plans.MapGet("/", ReadPlans.ListPlans).WithName("ListPlans");
        plans.MapGet("/{id}", ReadPlans.ShowPlan).WithName("ShowPlan").WithMetadata(new OwnTransaction());
        plans.MapGet("/{id}/devices", ReadPlans.ListPlanDevices).WithName("ListPlanDevices");
        plans.MapGet("/{id}/why", ExplainPlan.Handle).WithName("ExplainPlan");
        ProblemType[] deciding = [Problems.PlanUsed, Problems.PlanExpired, Problems.PlanNotReady];
        plans.MapPost("/{id}:approve", DecidePlan.Approve).WithName("ApprovePlan")
            .WithMetadata(new OptionalMatch(), new Refuses([Problems.OwnPlan, .. deciding]));
        plans.MapPost("/{id}:refuse", DecidePlan.Refuse).WithName("RefusePlan").WithMetadata(new OptionalMatch(), new Refuses(deciding));
        var policy = routes.Customer.MapGroup("").WithTags("Plans");
        policy.MapGet("/change-policy", ChangePolicy.Get).WithName("GetChangePolicy");
        policy.MapPut("/change-policy", ChangePolicy.Put).WithName("PutChangePolicy").WithMetadata(new RequiredRole(MemberRole.Admin));

        var windows = routes.Customer.MapGroup("/windows").WithTags("Windows");
        windows.MapPost("/", CreateWindow.Handle).WithName(nameof(CreateWindow))
            .WithMetadata(new Refuses(Problems.WindowNameTaken, Web.Problems.LimitReached));
        windows.MapGet("/", ReadWindows.List).WithName("ListWindows");
        windows.MapGet("/{id}", ReadWindows.Show).WithName("ShowWindow");
        windows.MapPatch("/{id}", ChangeWindow.Patch).WithName(nameof(ChangeWindow)).WithMetadata(new Refuses(Problems.WindowNameTaken));
        windows.MapDelete("/{id}", ChangeWindow.Delete).WithName("DeleteWindow");
    }
}
