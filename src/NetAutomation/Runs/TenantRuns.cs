using NetAutomation.Persistence;

namespace NetAutomation.Runs;

/// <summary>Ends the runs of a tenant that leaves.</summary>
internal sealed class TenantRuns(NetAutomationDb db, RunEndings endings, RunSignals signals)
{
    private const int AtOnce = 200;

    /// <summary>Cancels the runs that have not ended; false while a run is left.</summary>
    public async Task<bool> Cancel(TenantId tenant, string by, CancellationToken cancel)
    {
        await using var transaction = await db.Begin(tenant, cancel);
        var open = await db.Query<Open>(
            $"select id, state from runs.run where tenant_id = {tenant.Value} and state in {RunStates.Open} order by id limit {AtOnce}",
            cancel);
        foreach (var run in open.Where(each => each.State != RunState.Cancelling))
        {
            await endings.Cancel(tenant, run.Id, by, cancel);
        }

        var left =
            await db.Scalar<bool>(
                $"select exists (select from runs.run where tenant_id = {tenant.Value} and state in {RunStates.Open})", cancel);
        await transaction.CommitAsync(cancel);
        open.ForEach(run => signals.RingNews(run.Id));
        return !left;
    }

    /// <summary>Deletes the files that runs made on devices, such as their configuration. Receipts keep the hashes.</summary>
    public static Task<int> DeleteArtifacts(SystemDb db, TenantId tenant, CancellationToken cancel) =>
        db.Execute($"delete from runs.artifact where tenant_id = {tenant.Value}", cancel);

    private sealed record Open(RunId Id, RunState State);
}
