using NetAutomation.Runs;
using NetAutomation.Scheduling.Fire;
using NetAutomation.Scheduling.Keep;
using NetAutomation.Web;
using NetAutomation.Web.Loops;

namespace NetAutomation.Scheduling;

/// <summary>Runs at times: schedules, their occurrences, and the loops that fire them.</summary>
internal static class SchedulingModule
{
    public static void AddScheduling(this IHostApplicationBuilder builder) =>
        builder.Services.AddScoped<NoteOccurrences>().AddScoped<StartOccurrence>()
            .AddSingleton(ExportPart.Of("schedule", (from, page, cancel) => ReadSchedules.List(page, from.Db, cancel)));

    /// <summary>The scheduler role's part.</summary>
    public static void AddSchedulingLoops(this IHostApplicationBuilder builder)
    {
        var often = TimeSpan.FromSeconds(3);
        builder.Services.AddOneProcessLoop<FireDue>("scheduling.note", often, (due, cancel) => due.Note(cancel));
        builder.Services.AddOneProcessLoop<FireDue>("scheduling.fire", often, (due, cancel) => due.Start(cancel));
        builder.Services.AddOneProcessLoop<Forget>("scheduling.forget", TimeSpan.FromHours(1), (forget, cancel) => forget.Run(cancel));
    }

    public static void MapScheduling(this ApiRoutes routes)
    {
        var schedules = routes.Customer.MapGroup("/schedules").WithTags("Schedules");
        var refuses = new Refuses([.. RunLauncher.PlanRefusals, Problems.ScheduleNameTaken]);
        schedules.MapPost("/", CreateSchedule.Handle).WithName(nameof(CreateSchedule))
            .WithMetadata(refuses, new Refuses(Web.Problems.LimitReached));
        schedules.MapGet("/", ReadSchedules.List).WithName("ListSchedules");
        schedules.MapGet("/{id}", ReadSchedules.Show).WithName("ShowSchedule");
        schedules.MapPatch("/{id}", ChangeSchedule.Patch).WithName(nameof(ChangeSchedule)).WithMetadata(refuses);
        schedules.MapDelete("/{id}", ChangeSchedule.Delete).WithName("DeleteSchedule");
        schedules.MapPost("/{id}:approve", DecideSchedule.Approve).WithName("ApproveSchedule")
            .WithMetadata(new RequiredMatch(), new Refuses(Runs.Problems.OwnPlan));
        schedules.MapPost("/{id}:refuse", DecideSchedule.Refuse).WithName("RefuseSchedule").WithMetadata(new RequiredMatch());
        schedules.MapGet("/{id}/preview", PreviewSchedule.Handle).WithName(nameof(PreviewSchedule));
        schedules.MapGet("/{id}/occurrences", ReadSchedules.Occurrences).WithName("ListOccurrences");
    }
}
