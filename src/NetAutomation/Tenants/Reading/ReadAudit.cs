using System.Text.Json;
using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Persistence;
using NetAutomation.Web;

namespace NetAutomation.Tenants.Reading;

/// <summary>One deed.</summary>
/// <param name="Id">The row.</param>
/// <param name="TenantId">Whose it is.</param>
/// <param name="At">When.</param>
/// <param name="Principal">Id of the member that acted; operator: and a name for the provider's staff; or a part of the service.</param>
/// <param name="Member">Its name then.</param>
/// <param name="EndpointId">The VPC endpoint it came through.</param>
/// <param name="Action">What was done.</param>
/// <param name="Subject">What it was done to.</param>
/// <param name="Data">More about it.</param>
public sealed record AuditView(
    AuditId Id, TenantId TenantId, DateTimeOffset At, string Principal, string Member, string? EndpointId, string Action, string Subject,
    JsonElement Data);

internal static class ReadAudit
{
    /// <summary>What was done in the tenant, newest first.</summary>
    public static Task<Results<Ok<Page<AuditView>>, Problem>> ListAudit(
        NetAutomationDb db, Caller caller, [AsParameters] PageQuery page, CancellationToken cancel) =>
            Read(db, caller.Tenant.Value, page, cancel);

    /// <summary>What was done in every tenant, or in one, newest first.</summary>
    public static Task<Results<Ok<Page<AuditView>>, Problem>> ListAllAudit(
        SystemDb db, [AsParameters] PageQuery page, CancellationToken cancel, TenantId? tenantId = null) =>
            Read(db, tenantId?.Value, page, cancel);

    private static Task<Results<Ok<Page<AuditView>>, Problem>> Read(
        NetAutomationDb db, Guid? tenant, PageQuery page, CancellationToken cancel) =>
        page.Answer(
            $"audit?{tenant}",
            (below, take) => db.Query<AuditView>(
                $"""
                select id, tenant_id, at, principal, member, endpoint_id, action, subject, data from web.audit_event
                where ({tenant}::uuid is null or tenant_id = {tenant}) and ({below}::uuid is null or id < {below})
                order by id desc limit {take}
                """,
                cancel),
            view => view.Id.Value);
}
