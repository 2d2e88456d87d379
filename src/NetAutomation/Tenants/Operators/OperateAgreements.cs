using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Billing;
using NetAutomation.Persistence;
using NetAutomation.Web;
using NetAutomation.Web.Http;

namespace NetAutomation.Tenants.Operators;

/// <summary>A Marketplace agreement.</summary>
/// <param name="Id">The agreement here.</param>
/// <param name="TenantId">The tenant.</param>
/// <param name="Account">The buyer's AWS account.</param>
/// <param name="LicenseArn">The licence that usage is metered to.</param>
/// <param name="ProductCode">The product.</param>
/// <param name="AgreementId">The agreement's id at Marketplace, once it is known.</param>
/// <param name="State">pending, active, ending (its last usage is taken) or ended.</param>
/// <param name="Channel">Who collects the money: marketplace, or direct by contract.</param>
/// <param name="CreatedAt">When the buyer registered.</param>
/// <param name="EndedAt">When it ended.</param>
/// <param name="Version">Row version, also in the ETag.</param>
public sealed record AgreementView(
    AgreementId Id,
    TenantId TenantId,
    string Account,
    string? LicenseArn,
    string ProductCode,
    string? AgreementId,
    string State,
    BillingChannel Channel,
    DateTimeOffset CreatedAt,
    DateTimeOffset? EndedAt,
    int Version);

/// <summary>Changes an agreement.</summary>
/// <param name="Channel">marketplace or direct.</param>
public sealed record PatchAgreementRequest(BillingChannel Channel);

internal static class OperateAgreements
{
    public static Task<Results<Ok<Page<AgreementView>>, Problem>> List(
        SystemDb db, [AsParameters] PageQuery page, CancellationToken cancel) =>
        page.Answer("agreements", (below, take) => Find(db, null, below, take, cancel), view => view.Id.Value);

    public static async Task<Results<Ok<AgreementView>, Problem>> Get(
        AgreementId id, SystemDb db, HttpContext http, CancellationToken cancel)
    {
        if (await Find(db, id.Value, null, 1, cancel) is not [var agreement])
        {
            return Web.Problems.NotFound.With();
        }

        ETags.Show(http, agreement.Version);
        return TypedResults.Ok(agreement);
    }

    /// <summary>Sets who collects the money. Runs that were reserved before keep their channel.</summary>
    public static async Task<Results<Ok<AgreementView>, Problem>> Patch(
        AgreementId id, PatchAgreementRequest request, SystemDb db, OperatorCaller caller, HttpContext http, CancellationToken cancel)
    {
        if (await Find(db, id.Value, null, 1, cancel) is not [var agreement])
        {
            return Web.Problems.NotFound.With();
        }

        if (ETags.Check(http, agreement.Version) is { } stale)
        {
            return stale;
        }

        // The change would take the tenant's billing back from the agreement that followed this one.
        if (agreement.State == "ended")
        {
            return Web.Problems.Conflict.With("The agreement has ended.");
        }

        var changed = await db.Execute(
            $"""
            update onboarding.agreement set channel = {Wire.Name(request.Channel)}, version = version + 1
            where tenant_id = {agreement.TenantId.Value} and id = {id.Value} and version = {agreement.Version}
            """,
            cancel);
        if (changed == 0)
        {
            return Web.Problems.PreconditionFailed.With();
        }

        await BillingAccounts.Set(
            db, agreement.TenantId, request.Channel, agreement.LicenseArn, agreement.Account, agreement.ProductCode, cancel);
        await new AuditLog(db).Append(
            caller, agreement.TenantId, "agreement.channel_changed", $"{id}", new { request.Channel }, cancel);
        ETags.Show(http, agreement.Version + 1);
        return TypedResults.Ok(agreement with { Channel = request.Channel, Version = agreement.Version + 1 });
    }

    private static Task<List<AgreementView>> Find(SystemDb db, Guid? id, Guid? below, int take, CancellationToken cancel) =>
        db.Query<AgreementView>(
        $"""
        select id, tenant_id, account, license_arn, product_code, agreement_id, state, channel, created_at, ended_at, version
        from onboarding.agreement
        where ({id}::uuid is null or id = {id}) and ({below}::uuid is null or id < {below}) order by id desc limit {take}
        """,
        cancel);
}
