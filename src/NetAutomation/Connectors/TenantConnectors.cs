using NetAutomation.Persistence;

namespace NetAutomation.Connectors;

/// <summary>The connectors of a tenant that leaves.</summary>
internal static class TenantConnectors
{
    /// <summary>
    /// Their keys are refused from now on, and their sessions end at the next heartbeat. Returns how many were not revoked before.
    /// </summary>
    public static async Task<int> Revoke(NetAutomationDb db, TenantId tenant, CancellationToken cancel)
    {
        await db.Execute($"delete from connectors.join_token where tenant_id = {tenant.Value}", cancel);
        return await db.Execute(
            $"""
            update connectors.connector set state = 'revoked', row_version = row_version + 1
            where tenant_id = {tenant.Value} and state <> 'revoked'
            """,
            cancel);
    }
}
