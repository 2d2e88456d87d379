using System.Text.Json;
using NetAutomation.Persistence;
using NetAutomation.Web;

namespace NetAutomation.Runs;

/// <summary>A device of a claimed run.</summary>
/// <param name="Verify">A lost attempt may have configured it: look at it before configuring it again.</param>
/// <param name="CheckFailed">The check of the run's plan failed on it.</param>
/// <param name="Planned">Hash of the configuration that the run's plan was made for; null where any will do.</param>
/// <param name="Position">Its place in the run, from 1.</param>
/// <param name="Kept">Hash of the configuration that a change under guard, which a lost attempt may have begun, goes back to.</param>
/// <param name="Wanted">Hash of what was to be confirmed; null where it did not come to that.</param>
/// <param name="Confirms">It was decided that the change stays.</param>
/// <param name="Guard">What takes the change back; null where nobody knows.</param>
/// <param name="RevertsAt">When it has gone back by itself at the latest.</param>
internal sealed record ClaimedDevice(
    DeviceId Id, string Name, bool Verify = false, bool CheckFailed = false, string? Planned = null, int Position = 0,
    string? Kept = null, string? Wanted = null, bool Confirms = false, GuardKind? Guard = null, DateTimeOffset? RevertsAt = null);

/// <summary>A worker holds a run, by this fence.</summary>
internal sealed record RunClaim(TenantId Tenant, RunId Run, int Attempt, long Fence);

/// <summary>A run one worker holds, proven by its fence.</summary>
/// <param name="Fence">Grows with every claim of the tenant; a connector refuses older ones.</param>
/// <param name="Platforms">Digests of the devices' platforms by name, as pinned.</param>
/// <param name="Exclusive">The run writes, so it holds its devices alone.</param>
/// <param name="Secrets">Versions of the secrets in the input, as planned.</param>
/// <param name="TraceParent">The trace that the run was queued in.</param>
/// <param name="MayGoOn">Another attempt may continue where this one is stopped.</param>
/// <param name="Devices">Those that this attempt has taken; the run may have others for a later one.</param>
/// <param name="Guard">How its changes go back unless they hold.</param>
/// <param name="Failures">Devices that earlier attempts ended badly.</param>
/// <param name="Cancelled">A cancel was asked for before this attempt.</param>
internal sealed record ClaimedRun(
    TenantId Tenant, RunId Id, int Attempt, long Fence, string Block, string Version, IReadOnlyDictionary<string, string> Platforms,
    RunMode Mode, bool Exclusive, bool MayGoOn, JsonElement Input,
    IReadOnlyDictionary<CredentialId, int> Secrets, TimeSpan Timeout, Rollout? Rollout, IReadOnlyList<ClaimedDevice> Devices,
    string? TraceParent, RunGuard? Guard, int Failures, bool Cancelled)
{
    /// <summary>It finds out what became of the changes that lost attempts have begun, and begins nothing: its devices are those.</summary>
    public bool Looks => Devices.Any(device => device.Kept is not null);
}

/// <summary>Where workers get their runs. The queue is a table; a lost wake-up costs a poll, never a run.</summary>
internal sealed class RunQueue(SystemDb db, NetAutomationDb tenantDb)
{
    public static readonly TimeSpan Lease = TimeSpan.FromSeconds(30);
    private const int PartitionsAhead = 7;

    /// <summary>Claims the next run, or null where none can start now.</summary>
    /// <param name="last">The worker has one free place, which long runs of a tenant that has others running do not get.</param>
    public async Task<RunClaim?> Claim(string worker, CancellationToken cancel, bool last = false)
    {
        List<Guid> passed = [];
        var aside = 0;
        while (true)
        {
            var tried =
                await db.Query<Claimed>(
                    $"""
                    select tenant_id, run_id, attempt, fence, put_aside from runs.claim({worker}, {Lease}, {passed.ToArray()}, {last})
                    """,
                    cancel);
            if (tried is [{ RunId: { } run } claim])
            {
                return new RunClaim(claim.TenantId, run, claim.Attempt!.Value, claim.Fence!.Value);
            }

            if (tried is [var none])
            {
                passed.Add(none.TenantId.Value);
                aside += none.PutAside;
            }
            else if (aside > 0)
            {
                // Each tenant was looked at once; tenants whose runs were all put aside may have more.
                passed.Clear();
                aside = 0;
            }
            else
            {
                return null;
            }
        }
    }

    /// <summary>The run that a worker has claimed. Apart from the claim: reading may be repeated, claiming may not.</summary>
    public async Task<ClaimedRun> Read(RunClaim claim, CancellationToken cancel)
    {
        var (runs, devices) = await tenantDb.Query<Row, ClaimedDevice>(
            $"""
            select block, version, platforms, mode, writes, runs.next_attempt(r) is not null as may_go_on, input, timeout_seconds,
              rollout, trace_parent, guard, cancel_requested_at is not null as cancelled,
              (select count(*) from runs.run_device d where d.tenant_id = r.tenant_id and d.run_id = r.id
                and outcome not in ('ok', 'changed', 'not_started'))::int as failures,
              (select secrets from runs.quote q where q.tenant_id = r.tenant_id and q.id = r.quote_id) as secrets
            from runs.run r where tenant_id = {claim.Tenant.Value} and id = {claim.Run.Value}
            """,
            $"""
            select d.device_id as id, d.name, d.verify, coalesce(c.outcome not in ('ok', 'changed'), false) as check_failed,
              -- What a lost attempt has begun is gone on with.
              case when not d.verify then c.before_hash end as planned, d.position,
              case when d.kept_at is not null then d.before_hash end as kept,
              case when d.kept_at is not null then d.after_hash end as wanted, d.confirms, d.guard, d.reverts_at
            from runs.run_device d
              join runs.device_hold h on h.tenant_id = d.tenant_id and h.run_id = d.run_id and h.device_id = d.device_id
                and h.fence = {claim.Fence}
              join runs.run r on r.tenant_id = d.tenant_id and r.id = d.run_id
              left join runs.run k on k.tenant_id = r.tenant_id and k.plan_id = r.plan_id and k.mode = 'check' and r.mode = 'apply'
              left join runs.run_device c on c.tenant_id = k.tenant_id and c.run_id = k.id and c.device_id = d.device_id
            where d.tenant_id = {claim.Tenant.Value} and d.run_id = {claim.Run.Value} and d.outcome is null order by d.position
            """,
            cancel,
            claim.Tenant);
        var run = runs[0];
        return new ClaimedRun(
            claim.Tenant, claim.Run, claim.Attempt, claim.Fence, run.Block, run.Version,
            JsonSerializer.Deserialize<Dictionary<string, string>>(run.Platforms)!, run.Mode, run.Writes, run.MayGoOn,
            run.Input, JsonSerializer.Deserialize<Dictionary<CredentialId, int>>(run.Secrets, Json.Api)!,
            TimeSpan.FromSeconds(run.TimeoutSeconds),
            run.Rollout is null ? null : JsonSerializer.Deserialize<Rollout>(run.Rollout, Json.Api), devices,
            run.TraceParent, run.Guard is null ? null : GuardView.Json(run.Guard), run.Failures, run.Cancelled);
    }

    /// <summary>Takes runs from workers that stopped renewing.</summary>
    /// <param name="grace">How long after the end of the lease.</param>
    /// <param name="uptime">No run is taken while the database has been up for less: no worker could renew then.</param>
    public async Task<IReadOnlyList<(RunId Run, RunState State)>> Rescue(TimeSpan grace, TimeSpan uptime, CancellationToken cancel) =>
        [.. (await db.Query<Rescued>($"select run_id, state from runs.rescue({grace}, {uptime})", cancel))
            .Select(row => (row.RunId, row.State))];

    /// <summary>Gives a run back that this worker cannot finish, after its sandbox is gone and its streams are closed.</summary>
    public Task<string?> HandBack(ClaimedRun run, CancellationToken cancel) =>
        db.Scalar<string?>(
            $"select runs.lose({run.Tenant.Value}, {run.Id.Value}, {run.Fence}, 'worker', 'worker_stopped') as \"Value\"", cancel);

    /// <summary>Makes runs claimable that waited for a window which may have opened.</summary>
    public Task Reopen(CancellationToken cancel) => db.Execute($"select runs.reopen()", cancel);

    /// <summary>Makes the partitions of run events ahead of time.</summary>
    public Task MakePartitions(CancellationToken cancel) => db.Execute($"select runs.make_partitions({PartitionsAhead})", cancel);

    /// <summary>Drops the oldest day of events that is older than so many days, if no run of it may still write. Returns the day.</summary>
    public async Task<DateOnly?> DropEvents(int days, CancellationToken cancel) =>
        await db.Scalar<DateOnly?>($"select runs.expired_partition({days}) as \"Value\"", cancel) is { } day
        && await db.Scalar<bool>($"select runs.drop_partition({day}) as \"Value\"", cancel)
            ? day
            : null;

    /// <summary>
    /// Deletes quotes that no run has used, a day after they expired: until then, who uses one learns why it does not count.
    /// </summary>
    public async Task ForgetQuotes(CancellationToken cancel)
    {
        const int batch = 10_000;
        while (await db.Execute(
            $"""
            delete from runs.quote where (tenant_id, id) in (
              select tenant_id, id from runs.quote q where open and expires_at < now() - interval '1 day'
                and not exists (select from runs.run r where r.tenant_id = q.tenant_id and r.quote_id = q.id)
              limit {batch})
            """,
            cancel) == batch)
        {
            // In batches, so that no statement runs for long.
        }
    }

    /// <summary>
    /// Deletes plans that were never applied, with their quotes, 90 days after they ended. The runs that checked them stay, and name no
    /// plan any more.
    /// </summary>
    public async Task ForgetPlans(CancellationToken cancel)
    {
        const int batch = 1_000;
        while (await db.Execute(
            $"""
            with gone as (
              delete from runs.plan where (tenant_id, id) in (
                select p.tenant_id, p.id
                from runs.plan p
                  join runs.run c on c.tenant_id = p.tenant_id and c.plan_id = p.id and c.mode = 'check'
                where p.state not in ('used', 'drifted') and now() - interval '90 days' > case p.state
                  when 'refused' then p.decided_at when 'failed' then c.finished_at else p.expires_at end
                limit {batch})
              returning tenant_id, quote_id)
            delete from runs.quote q using gone where q.tenant_id = gone.tenant_id and q.id = gone.quote_id
            """,
            cancel) == batch)
        {
            // In batches, as above.
        }
    }

    /// <summary>Ids of queued runs whose startBy has passed.</summary>
    public async Task<IReadOnlyList<(TenantId Tenant, RunId Run)>> Overdue(CancellationToken cancel) =>
        [.. (await db.Query<OverdueRun>(
            $"""
            select tenant_id, id from runs.run where state in {RunStates.Queued} and attempt = 0 and start_by <= now()
            order by row_number() over (partition by tenant_id order by start_by), start_by limit 100
            """,
            cancel))
            .Select(row => (row.TenantId, row.Id))];

    private sealed record Claimed(TenantId TenantId, RunId? RunId, int? Attempt, long? Fence, int PutAside);

    private sealed record Row(
        string Block, string Version, string Platforms, RunMode Mode, bool Writes, bool MayGoOn, JsonElement Input, int TimeoutSeconds,
        string? Rollout, string? TraceParent, string? Guard, bool Cancelled, int Failures, string Secrets);

    private sealed record Rescued(RunId RunId, RunState State);

    private sealed record OverdueRun(TenantId TenantId, RunId Id);
}
