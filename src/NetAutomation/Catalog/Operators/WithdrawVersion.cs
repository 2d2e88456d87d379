using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Catalog.Model;
using NetAutomation.Persistence;
using NetAutomation.Web;

namespace NetAutomation.Catalog.Operators;

/// <summary>Withdraws a block version, such as one that says <c>ok</c> and is wrong.</summary>
/// <param name="Reason">Why, 1 to 500 characters; it stands in the audit.</param>
public sealed record WithdrawVersionRequest(string Reason);

/// <summary>A block version that starts no new run.</summary>
/// <param name="Block">Slug of the block.</param>
/// <param name="Version">The version.</param>
/// <param name="State">Always <c>withdrawn</c>.</param>
/// <param name="Newest">What callers get now who name no version; null where none is left.</param>
public sealed record WithdrawnVersionView(string Block, string Version, string State, string? Newest);

internal static class WithdrawVersion
{
    /// <summary>
    /// Takes a version out of use for good: a corrected one is published under a higher number. A second time changes nothing.
    /// </summary>
    public static async Task<Results<Ok<WithdrawnVersionView>, Problem>> Handle(
        string block, string version, WithdrawVersionRequest request, SystemDb db, OperatorCaller caller, CancellationToken cancel)
    {
        if (ShownText.Refusal(ShownText.TextFaults(request.Reason, "/reason")) is { } unfit)
        {
            return unfit;
        }

        var (published, withdrawn) = (Wire.Name(VersionState.Published), Wire.Name(VersionState.Withdrawn));
        if (await db.Execute(
            $"""
            update catalog.block_version set state = {withdrawn}
            where slug = {block} and version = {version} and state = {published}
            """,
            cancel) == 1)
        {
            await new AuditLog(db).Append(
                caller, TenantId.None, "block_version.withdrawn", $"{block}/{version}", new { block, version, request.Reason }, cancel);
        }
        else if (!await db.Scalar<bool>(
            $"select exists (select from catalog.block_version where slug = {block} and version = {version})", cancel))
        {
            return Web.Problems.NotFound.With();
        }

        var newest = await db.Scalar<string>(
            $"""
            select version from catalog.block_version where slug = {block} and state = {published}
            order by major desc, minor desc, patch desc limit 1
            """,
            cancel);
        return TypedResults.Ok(new WithdrawnVersionView(block, version, withdrawn, newest));
    }
}
