using NetAutomation.Execution.Sandbox;
using NetAutomation.Persistence;

namespace NetAutomation.Execution.Probe;

/// <summary>A test that a worker has for its next devices.</summary>
internal sealed record LeasedTest(TenantId TenantId, DeviceTestId Id, Guid Lease, MemberId CreatedBy, string Member, string? EndpointId);

/// <summary>
/// Tests of devices as workers see them. A tenant has one lease at a time, whatever the process, so its connectors carry no more streams
/// than one lease has devices.
/// </summary>
internal sealed class DeviceTestQueue(SystemDb system, NetAutomationDb db)
{
    /// <summary>Devices that are tested at the same time for one lease.</summary>
    public const int AtOnce = 50;
    private const int Batch = 1000;

    // Longer than any test of so many devices takes.
    private static readonly TimeSpan _lease = TimeSpan.FromSeconds(180);

    /// <summary>The test served longest ago, of a tenant that has no lease; null where there is none.</summary>
    public async Task<LeasedTest?> Lease(CancellationToken cancel)
    {
        await using var transaction = await system.Database.BeginTransactionAsync(cancel);
        system.SendWithNext($"select pg_advisory_xact_lock({(long)AdvisoryLock.LeaseDeviceTests})");
        var leased = await system.Query<LeasedTest>(
            $"""
            update execution.device_test t set lease = gen_random_uuid(), lease_until = clock_timestamp() + {_lease},
              served_at = clock_timestamp()
            from (
              select * from (
                select distinct on (o.tenant_id) o.tenant_id, o.id, o.served_at from execution.device_test o
                where o.finished_at is null and o.ends_by > now() and not exists (
                  select from execution.device_test x
                  where x.tenant_id = o.tenant_id and x.finished_at is null and x.lease_until > clock_timestamp())
                order by o.tenant_id, o.served_at, o.id) each
              order by each.served_at, each.id limit 1) chosen
            where t.tenant_id = chosen.tenant_id and t.id = chosen.id and t.finished_at is null
            returning t.tenant_id, t.id, t.lease, t.created_by, t.member, t.endpoint_id
            """,
            cancel);
        await transaction.CommitAsync(cancel);
        return leased.FirstOrDefault();
    }

    /// <summary>The next devices of a test; none where all have a result.</summary>
    public Task<List<DeviceId>> Next(LeasedTest test, CancellationToken cancel) => db.QueryAs<DeviceId>(
        test.TenantId,
        $"""
        select device_id from execution.device_test_result
        where tenant_id = {test.TenantId.Value} and test_id = {test.Id.Value} and finished_at is null order by device_id limit {AtOnce}
        """,
        cancel);

    /// <summary>Writes results, the first of a device stands, and gives the lease back. With the last one the test is finished.</summary>
    public async Task Record(LeasedTest test, IReadOnlyList<TestedDevice> results, CancellationToken cancel)
    {
        Guid[] devices = [.. results.Select(result => result.Device.Value)];
        bool[] reachable = [.. results.Select(result => result.Reachable)];
        string?[] stages = [.. results.Select(result => result.Stage)];
        string?[] codes = [.. results.Select(result => result.Code)];
        int?[] times = [.. results.Select(result => result.RttMs)];
        string?[] keys = [.. results.Select(result => result.HostKeySha256)];
        string?[] messages = [.. results.Select(result => result.Message)];
        await using var transaction = await db.Begin(test.TenantId, cancel);
        db.SendWithNext(
            $"""
            update execution.device_test_result r set finished_at = now(), reachable = t.reachable, stage = t.stage, code = t.code,
              rtt_ms = t.rtt_ms, host_key_sha256 = t.host_key, message = t.message
            from unnest({devices}, {reachable}, {stages}, {codes}, {times}, {keys}, {messages})
              as t (device_id, reachable, stage, code, rtt_ms, host_key, message)
            where r.tenant_id = {test.TenantId.Value} and r.test_id = {test.Id.Value} and r.device_id = t.device_id
              and r.finished_at is null
            """);
        await db.Execute(
            $"""
            update execution.device_test t set lease_until = '-infinity', finished_at = case when not exists (
                select from execution.device_test_result r
                where r.tenant_id = t.tenant_id and r.test_id = t.id and r.finished_at is null) then now() end
            where t.tenant_id = {test.TenantId.Value} and t.id = {test.Id.Value} and t.lease = {test.Lease} and t.finished_at is null
            """,
            cancel);
        await transaction.CommitAsync(cancel);
    }

    /// <summary>Ends the tests whose time is over: what has no result gets hard_timeout.</summary>
    public Task EndOverdue(CancellationToken cancel) => system.Execute(
        $"""
        with overdue as (
          update execution.device_test set finished_at = now() where finished_at is null and ends_by <= now() returning tenant_id, id)
        update execution.device_test_result r set finished_at = now(), code = {DeviceCode.HardTimeout},
          message = 'The test was not over in two hours.'
        from overdue o where r.tenant_id = o.tenant_id and r.test_id = o.id and r.finished_at is null
        """,
        cancel);

    /// <summary>Deletes tests that have been over for 30 days, in batches, so that no statement runs for long.</summary>
    public async Task Forget(CancellationToken cancel)
    {
        var deleted = Batch;
        while (deleted == Batch)
        {
            deleted = await system.Execute(
                $"""
                delete from execution.device_test where (tenant_id, id) in (
                  select tenant_id, id from execution.device_test where finished_at < now() - interval '30 days' limit {Batch})
                """,
                cancel);
        }
    }
}
