using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Persistence;
using NetAutomation.Runs.Follow;
using NetAutomation.Web;

namespace NetAutomation.Runs.Cancel;

/// <summary>What a cancel would do now.</summary>
/// <param name="State">Where the run stands.</param>
/// <param name="Possible">False where the run has finished.</param>
/// <param name="Finished">Devices that keep their outcome.</param>
/// <param name="Interrupted">Devices being worked on, of which nothing goes back: they finish their task within the grace of 20 s or are
/// cut off.</param>
/// <param name="GoBack">Devices with a change under guard: it is taken back, unless it is being confirmed, and the run goes on until they
/// have been looked at.</param>
/// <param name="NotStarted">Devices that stay as they are.</param>
public sealed record CancelPreviewView(
    RunState State, bool Possible, long Finished, long Interrupted, long GoBack, long NotStarted);

internal static class PreviewCancel
{
    /// <summary>What a cancel would do now, without doing it.</summary>
    public static async Task<Results<Ok<CancelPreviewView>, Problem>> Handle(
        RunId id, NetAutomationDb db, Caller caller, CancellationToken cancel)
    {
        if (await RunView.Find(db, caller.Tenant, id, cancel) is not { } run)
        {
            return Web.Problems.NotFound.With();
        }

        var counts = (await db.Query<Counts>(
            $"""
            select count(*) filter (where outcome is not null) as finished,
              count(*) filter (where outcome is null and kept_at is null and phase <> 'waiting') as interrupted,
              count(*) filter (where outcome is null and kept_at is not null) as go_back,
              count(*) filter (where kept_at is null and phase = 'waiting') as not_started
            from runs.run_device where tenant_id = {caller.Tenant.Value} and run_id = {id.Value}
            """,
            cancel))[0];
        return TypedResults.Ok(new CancelPreviewView(
            run.State, !run.Terminal && run.State != RunState.Unknown, counts.Finished, counts.Interrupted, counts.GoBack,
            counts.NotStarted));
    }

    public sealed record Counts(long Finished, long Interrupted, long GoBack, long NotStarted);
}
