using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Persistence;
using NetAutomation.Runs.Follow;
using NetAutomation.Web;

namespace NetAutomation.Runs.Start;

/// <summary>Several runs at once: all start, or none.</summary>
/// <param name="Runs">1 to 100.</param>
public sealed record StartRunsRequest(IReadOnlyList<StartRunRequest> Runs);

/// <summary>The runs that were started, in the order they were asked for.</summary>
/// <param name="Runs">Each with its own quote and reservation.</param>
public sealed record StartedRuns(IReadOnlyList<RunView> Runs);

internal static class StartRuns
{
    private const int Most = 100;

    /// <summary>Starts up to 100 runs in one transaction; a refusal of one names it by pointer and starts none.</summary>
    public static async Task<Results<Accepted<StartedRuns>, Problem>> Handle(
        StartRunsRequest body, NetAutomationDb db, Caller caller, RunLauncher launcher, CancellationToken cancel)
    {
        if (body.Runs.Count is 0 or > Most)
        {
            return Web.Problems.Refused.At("/runs", "out_of_range", $"1 to {Most} runs.");
        }

        db.SendWithNext(
            $"""
            select web.refuse_above({caller.Tenant.Value}, 'queued_runs', queued, {(long)body.Runs.Count})
            from runs.output({caller.Tenant.Value})
            """);
        var started = new List<RunView>();
        for (var i = 0; i < body.Runs.Count; i++)
        {
            if ((await launcher.Start(caller, body.Runs[i], null, cancel)).Refused(out var problem, out var run))
            {
                var at = $"/runs/{i}";
                return new Problem(problem.Type, problem.Detail, problem.Errors is { } errors
                    ? [.. errors.Select(error => error with { Pointer = at + error.Pointer })]
                    : [new ProblemError(at, problem.Type.Code, problem.Type.Title)])
                { Members = problem.Members };
            }

            started.Add((await RunView.Find(db, caller.Tenant, run, cancel))!);
        }

        return TypedResults.Accepted((string?)null, new StartedRuns(started));
    }
}
