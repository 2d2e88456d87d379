using System.Text.Json;
using NetAutomation.Persistence;
using NetAutomation.Web;

namespace NetAutomation.Execution.Probe;

/// <summary>Whether devices are left to test.</summary>
public enum DeviceTestState
{
    Running,
    Finished,
}

/// <summary>The devices of a test, counted.</summary>
/// <param name="Total">All of them.</param>
/// <param name="Done">With a result.</param>
/// <param name="Reachable">Logged in to.</param>
/// <param name="ByCode">The others that are done, by their code.</param>
public sealed record DeviceTestCounts(int Total, int Done, int Reachable, IReadOnlyDictionary<string, int> ByCode);

/// <summary>One device of a test.</summary>
/// <param name="DeviceId">The device.</param>
/// <param name="Name">Its name when the test was accepted.</param>
/// <param name="Reachable">Logged in; null until it is tested.</param>
/// <param name="Stage">connector, allow_list, tcp, ssh or auth: the last one entered; null where nothing was tried.</param>
/// <param name="Code">Stable code of what stopped it.</param>
/// <param name="RttMs">How long opening the connection took.</param>
/// <param name="HostKeySha256">The key the device showed; pinned by the first successful test.</param>
/// <param name="Message">What stopped it, and what helps.</param>
/// <param name="TestedAt">When it got its result.</param>
public sealed record DeviceTestResult(
    DeviceId DeviceId, string Name, bool? Reachable, string? Stage, string? Code, int? RttMs, string? HostKeySha256, string? Message,
    DateTimeOffset? TestedAt);

/// <summary>A test of several devices, with a page of its results.</summary>
/// <param name="Id">The test.</param>
/// <param name="State">running or finished.</param>
/// <param name="Targets">As asked for.</param>
/// <param name="Counts">Over all its devices.</param>
/// <param name="CreatedAt">When it was accepted.</param>
/// <param name="EndsBy">A device that has no result by then gets the code hard_timeout.</param>
/// <param name="FinishedAt">When the last device got its result.</param>
/// <param name="Items">The page.</param>
/// <param name="Next">Pass as <c>after</c> for the next page; null on the last.</param>
public sealed record DevicesTestView(
    DeviceTestId Id, DeviceTestState State, JsonElement Targets, DeviceTestCounts Counts, DateTimeOffset CreatedAt, DateTimeOffset EndsBy,
    DateTimeOffset? FinishedAt, IReadOnlyList<DeviceTestResult> Items, string? Next)
{
    internal static async Task<Outcome<DevicesTestView>> Find(
        NetAutomationDb db, TenantId tenant, DeviceTestId id, PageQuery page, CancellationToken cancel, bool? reachable = null)
    {
        var (tests, groups) = await db.Query<Row, Group>(
            $"""
            select targets, created_at, ends_by, finished_at from execution.device_test
            where tenant_id = {tenant.Value} and id = {id.Value}
            """,
            $"""
            select finished_at is not null as done, reachable, code, count(*)::int as devices from execution.device_test_result
            where tenant_id = {tenant.Value} and test_id = {id.Value} group by 1, 2, 3
            """,
            cancel, tenant);
        if (tests is not [var test])
        {
            return Web.Problems.NotFound.With();
        }

        var read = await page.Read(
            $"device-tests/{id}/{reachable}",
            (below, take) => db.QueryAs<DeviceTestResult>(
                tenant,
                $"""
                select device_id, name, case when finished_at is not null then reachable end as reachable, stage, code, rtt_ms,
                  host_key_sha256, message, finished_at as tested_at
                from execution.device_test_result
                where tenant_id = {tenant.Value} and test_id = {id.Value} and ({below}::uuid is null or device_id < {below})
                  and ({reachable}::boolean is null or (finished_at is not null and reachable = {reachable}))
                order by device_id desc limit {take}
                """,
                cancel),
            result => result.DeviceId.Value);
        if (read.Refused(out var problem, out var results))
        {
            return problem;
        }

        var counts = new DeviceTestCounts(
            groups.Sum(group => group.Devices), groups.Where(group => group.Done).Sum(group => group.Devices),
            groups.Where(group => group.Reachable).Sum(group => group.Devices),
            groups.Where(group => group.Code is not null).OrderBy(group => group.Code, StringComparer.Ordinal)
                .ToDictionary(group => group.Code!, group => group.Devices, StringComparer.Ordinal));
        return new DevicesTestView(
            id, test.FinishedAt is null ? DeviceTestState.Running : DeviceTestState.Finished, test.Targets, counts, test.CreatedAt,
            test.EndsBy, test.FinishedAt, results.Items, results.Next);
    }

    private sealed record Row(JsonElement Targets, DateTimeOffset CreatedAt, DateTimeOffset EndsBy, DateTimeOffset? FinishedAt);

    private sealed record Group(bool Done, bool Reachable, string? Code, int Devices);
}
