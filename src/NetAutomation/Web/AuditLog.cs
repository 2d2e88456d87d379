using System.Text.Json;
using NetAutomation.Persistence;

namespace NetAutomation.Web;

/// <summary>Append-only record of actions, written in the transaction of the action. The tenant's feed is a projection of it.</summary>
internal sealed class AuditLog(NetAutomationDb db)
{
    /// <param name="action">Dotted verb, for example <c>device.created</c>.</param>
    /// <param name="subject">Id of the object of the action.</param>
    public Task Append(Caller caller, string action, string subject, object? data = null, CancellationToken cancel = default) =>
        Append(caller.Tenant, $"{caller.MemberId}", caller.Member, caller.EndpointId, action, subject, data, cancel);

    /// <summary>What a member of the provider's staff did, in the log of the tenant.</summary>
    public Task Append(
        OperatorCaller caller, TenantId tenant, string action, string subject, object? data, CancellationToken cancel) =>
        Append(tenant, caller.Principal, caller.Name, null, action, subject, data, cancel);

    /// <param name="principal">Id of the member, or the operator or service role, that acted.</param>
    public Task Append(
        TenantId tenant, string principal, string member, string? endpoint, string action, string subject, object? data,
        CancellationToken cancel)
    {
        var body = JsonSerializer.Serialize(data ?? new { }, Json.Api);
        FormattableString record =
            $"""
            insert into web.audit_event (id, tenant_id, principal, member, endpoint_id, action, subject, data)
            values ({Guid.CreateVersion7()}, {tenant.Value}, {principal}, {member}, {endpoint}, {action}, {subject}, {body}::jsonb)
            """;
        if (db.Database.CurrentTransaction is null)
        {
            return db.Execute(record, cancel);
        }

        db.SendWithNext(record);
        return Task.CompletedTask;
    }

    /// <summary>The same action of the service itself on many subjects, in one statement.</summary>
    public Task Append(
        string principal, string action, IReadOnlyCollection<(TenantId Tenant, string? Endpoint, string Subject)> actions,
        CancellationToken cancel)
    {
        Guid[] ids = [.. actions.Select(_ => Guid.CreateVersion7())];
        Guid[] tenants = [.. actions.Select(each => each.Tenant.Value)];
        string?[] endpoints = [.. actions.Select(each => each.Endpoint)];
        string[] subjects = [.. actions.Select(each => each.Subject)];
        return actions.Count == 0 ? Task.CompletedTask : db.Query<Guid>(
            $"""
            insert into web.audit_event (id, tenant_id, principal, member, endpoint_id, action, subject, data)
            select d.id, d.tenant_id, {principal}, {principal}, d.endpoint_id, {action}, d.subject, jsonb_build_object()
            from unnest({ids}, {tenants}, {endpoints}, {subjects}) as d(id, tenant_id, endpoint_id, subject)
            returning id
            """,
            cancel);
    }
}
