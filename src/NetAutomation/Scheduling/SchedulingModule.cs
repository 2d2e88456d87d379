using NetAutomation.Runs;
using NetAutomation.Scheduling.Fire;
using NetAutomation.Scheduling.Keep;
using NetAutomation.Scheduling.Preview;
using NetAutomation.Web;
using Quartz;

namespace NetAutomation.Scheduling;

/// <summary>Runs at times: schedules, their occurrences, and the clustered clock that fires them.</summary>
internal static class SchedulingModule
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(3);

    public static void AddScheduling(this IHostApplicationBuilder builder) =>
        builder.Services.AddSingleton<FireDue>().AddScoped<NoteOccurrences>().AddScoped<StartOccurrence>()
            .AddSingleton(ExportPart.Of("schedule", (from, page, cancel) => ReadSchedules.List(from.Db, from.Caller, page, cancel)));

    /// <summary>The scheduler role's part: Quartz, clustered on the database. Its tables are of a migration.</summary>
    public static void AddScheduler(this IHostApplicationBuilder builder)
    {
        var database = builder.Configuration["Database:System"] ?? "";
        builder.Services.AddQuartz(quartz =>
        {
            quartz.ConfigureScheduler(scheduler => scheduler.InstanceName = "netautomation");
            quartz.UsePersistentStore(store =>
            {
                store.UsePostgres(database);
                store.ConfigureStore(options => options.TablePrefix = "quartz.qrtz_");
                store.UseSystemTextJsonSerializer();
                // Gives each process an id of its own, unless one is set.
                store.UseClustering();
            });
            quartz.ScheduleJob<Tick>(trigger => trigger.WithIdentity("tick").StartNow().WithSchedule(
                SimpleScheduleBuilder.Create().WithInterval(Interval).RepeatForever()));
            quartz.ScheduleJob<Forget>(trigger => trigger.WithIdentity("forget").StartNow().WithSchedule(
                SimpleScheduleBuilder.Create().WithInterval(TimeSpan.FromHours(1)).RepeatForever()));
        });
        builder.Services.AddQuartzHostedService(options => options.WaitForJobsToComplete = true);
    }

    public static void MapScheduling(this ApiRoutes routes)
    {
        var schedules = routes.Customer.MapGroup("/schedules").WithTags("Schedules");
        var refuses = new Refuses([.. RunLauncher.PlanRefusals, Problems.ScheduleNameTaken]);
        schedules.MapPost("/", CreateSchedule.Handle).WithName(nameof(CreateSchedule)).WithMetadata(refuses);
        schedules.MapGet("/", ReadSchedules.List).WithName("ListSchedules");
        schedules.MapGet("/{id}", ReadSchedules.Show).WithName("ShowSchedule");
        schedules.MapPatch("/{id}", ChangeSchedule.Patch).WithName(nameof(ChangeSchedule)).WithMetadata(refuses);
        schedules.MapDelete("/{id}", ChangeSchedule.Delete).WithName("DeleteSchedule");
        schedules.MapGet("/{id}/preview", PreviewSchedule.Handle).WithName(nameof(PreviewSchedule));
        schedules.MapGet("/{id}/occurrences", ReadSchedules.Occurrences).WithName("ListOccurrences");
    }
}
