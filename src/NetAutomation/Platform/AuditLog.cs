using System.Text.Json;
using NetAutomation.Persistence;

namespace NetAutomation.Platform;

/// <summary>Append-only record of who did what, written in the transaction of the deed. The tenant's feed is a projection of it.</summary>
internal sealed class AuditLog(NetAutomationDb db)
{
    /// <param name="action">Dotted verb, for example <c>device.created</c>.</param>
    /// <param name="subject">Id of what was acted on.</param>
    public Task Append(Caller caller, string action, string subject, object? data = null, CancellationToken cancel = default) =>
        Append(caller.Tenant, $"{caller.Key}", caller.Member, caller.EndpointId, action, subject, data, cancel);

    /// <param name="principal">Key, operator or service role that acted.</param>
    public Task Append(
        TenantId tenant, string principal, string member, string? endpoint, string action, string subject, object? data, CancellationToken cancel)
    {
        var body = JsonSerializer.Serialize(data ?? new { }, Json.Api);
        return db.Execute(
            $"""
            insert into platform.audit_event (id, tenant_id, principal, member, endpoint_id, action, subject, data)
            values ({Guid.CreateVersion7()}, {tenant.Value}, {principal}, {member}, {endpoint}, {action}, {subject}, {body}::jsonb)
            """,
            cancel);
    }
}
