using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Persistence;

namespace NetAutomation.Tenants.Reading;

/// <summary>Who is calling.</summary>
/// <param name="TenantId">The tenant.</param>
/// <param name="Name">Its name.</param>
/// <param name="State">active, suspended or ended.</param>
/// <param name="ReadsUntil">Until when an ended tenant may read.</param>
/// <param name="EndpointId">The VPC endpoint the connection came through.</param>
/// <param name="KeyId">The API key.</param>
/// <param name="MemberId">The member that the key belongs to.</param>
/// <param name="Member">The member's name.</param>
/// <param name="Role">What the member may do.</param>
/// <param name="Entitlements">Blocks the tenant may run now.</param>
public sealed record WhoAmIView(
    TenantId TenantId, string Name, string State, DateTimeOffset? ReadsUntil, string EndpointId, ApiKeyId KeyId, MemberId MemberId,
    string Member, MemberRole Role, IReadOnlyList<HeldBlock> Entitlements);

/// <summary>A block the tenant may run.</summary>
/// <param name="Block">Slug of the block.</param>
/// <param name="Major">Major version.</param>
/// <param name="Kind">pay_per_use, rental or owned.</param>
public sealed record HeldBlock(string Block, int Major, string Kind);

internal static class WhoAmI
{
    /// <summary>The tenant, endpoint and key this request was known by.</summary>
    public static async Task<Ok<WhoAmIView>> GetMe(NetAutomationDb db, Caller caller, CancellationToken cancel)
    {
        var (tenants, held) = await db.Query<Row, HeldBlock>(
            $"select name, state, reads_until from onboarding.tenant where tenant_id = {caller.Tenant.Value}",
            $"""
            select block, major, kind from purchasing.entitlement
            where tenant_id = {caller.Tenant.Value} and tstzrange(starts_at, ends_at) @> now() order by block, major, kind
            """,
            cancel,
            tenant: caller.Tenant);
        var tenant = tenants[0];
        return TypedResults.Ok(new WhoAmIView(
            caller.Tenant, tenant.Name, tenant.State, tenant.ReadsUntil, caller.EndpointId, caller.Key, caller.MemberId, caller.Member,
            caller.Role, held));
    }

    private sealed record Row(string Name, string State, DateTimeOffset? ReadsUntil);
}
