using NetAutomation.Persistence;

namespace NetAutomation.Runs;

/// <summary>The runs of a tenant that leaves.</summary>
internal sealed class TenantRuns(NetAutomationDb db, RunJournal journal, RunSignals signals)
{
    private const int AtOnce = 200;
    private static readonly string[] _notStarted = ["queued", "claimed"];

    /// <summary>Cancels what is not over; false while something still runs.</summary>
    public async Task<bool> Cancel(TenantId tenant, string by, CancellationToken cancel)
    {
        await using var transaction = await db.Begin(tenant, cancel);
        var open = await db.Query<Open>(
            $"select id, state from runs.run where tenant_id = {tenant.Value} and state in ('queued', 'claimed', 'running', 'cancelling') order by id limit {AtOnce}", cancel);
        foreach (var run in open.Where(each => each.State != "cancelling"))
        {
            if (!await journal.End(tenant, new RunId(run.Id), _notStarted, "cancelled", by, cancel))
            {
                await db.Scalar<long?>($"select runs.move({tenant.Value}, {run.Id}, null, array['running'], 'cancelling', {by}) as \"Value\"", cancel);
            }
        }

        var left = await db.Scalar<bool>(
            $"select exists (select from runs.run where tenant_id = {tenant.Value} and state in ('queued', 'claimed', 'running', 'cancelling'))", cancel);
        await transaction.CommitAsync(cancel);
        open.ForEach(run => signals.RingNews(new RunId(run.Id)));
        return !left;
    }

    /// <summary>What runs brought home from devices, such as their configuration. Receipts keep the hashes.</summary>
    public static Task<int> DeleteArtifacts(SystemDb db, TenantId tenant, CancellationToken cancel) =>
        db.Execute($"delete from runs.artifact where tenant_id = {tenant.Value}", cancel);

    private sealed record Open(Guid Id, string State);
}
