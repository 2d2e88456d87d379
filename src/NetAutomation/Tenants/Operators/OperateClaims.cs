using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Persistence;
using NetAutomation.Web;

namespace NetAutomation.Tenants.Operators;

/// <summary>An AWS account that a tenant claims and has not proven. PUT of the tenant's account approves it.</summary>
/// <param name="TenantId">The tenant.</param>
/// <param name="Account">12 digits.</param>
/// <param name="RequestedBy">Who claims it: the member, or registration; null for a claim from before members.</param>
/// <param name="Member">Its name then.</param>
/// <param name="CreatedAt">Since when.</param>
/// <param name="OtherTenants">Active tenants that have the account: of its endpoints the provider then decides whose each is.</param>
public sealed record AccountClaimView(
    TenantId TenantId, string Account, string? RequestedBy, string Member, DateTimeOffset CreatedAt, TenantId[] OtherTenants);

internal static class OperateClaims
{
    /// <summary>The newest 200.</summary>
    public static async Task<Ok<Page<AccountClaimView>>> List(SystemDb db, CancellationToken cancel)
    {
        var rows = await db.Query<Row>(
            $"""
            select c.tenant_id, c.account, c.requested_by, c.member, c.created_at, array(
              select a.tenant_id from onboarding.tenant_account a join onboarding.tenant t on t.tenant_id = a.tenant_id
              where a.account = c.account and a.active and a.tenant_id <> c.tenant_id and t.state in ('active', 'suspended')) as others
            from onboarding.account_challenge c order by c.created_at desc limit 200
            """,
            cancel);
        return TypedResults.Ok(new Page<AccountClaimView>(
            [.. rows.Select(
                row => new AccountClaimView(
                    new(row.TenantId), row.Account, row.RequestedBy, row.Member, row.CreatedAt,
                    Array.ConvertAll(row.Others, each => new TenantId(each))))], null));
    }

    private sealed record Row(Guid TenantId, string Account, string? RequestedBy, string Member, DateTimeOffset CreatedAt, Guid[] Others);
}
