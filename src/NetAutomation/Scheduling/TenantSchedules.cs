using NetAutomation.Persistence;

namespace NetAutomation.Scheduling;

/// <summary>The schedules of a tenant that leaves.</summary>
internal static class TenantSchedules
{
    /// <summary>Disables all schedules; returns how many were enabled.</summary>
    public static Task<int> Disable(NetAutomationDb db, TenantId tenant, CancellationToken cancel) =>
        db.Execute(
            $"update scheduling.schedule set enabled = false, version = version + 1 where tenant_id = {tenant.Value} and enabled", cancel);
}
