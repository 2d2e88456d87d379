using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Catalog.Model;
using NetAutomation.Persistence;
using NetAutomation.Web;

namespace NetAutomation.Catalog.Operators;

/// <summary>Takes a block version out of use.</summary>
/// <param name="Reason">Why, 1 to 500 characters; it stands in the audit.</param>
public sealed record RetireVersionRequest(string Reason);

/// <summary>A block version that callers no longer get without naming it, or not at all.</summary>
/// <param name="Block">Slug of the block.</param>
/// <param name="Version">The version.</param>
/// <param name="State"><c>deprecated</c> or <c>withdrawn</c>.</param>
/// <param name="Newest">What callers get now who name no version; null where none is left.</param>
public sealed record RetiredVersionView(string Block, string Version, string State, string? Newest);

internal static class RetireVersion
{
    /// <summary>
    /// Has callers who name no version get another one. Who names it, and quotes, schedules and runs that have it, go on. A second time, or
    /// after a withdrawal, it changes nothing.
    /// </summary>
    public static Task<Results<Ok<RetiredVersionView>, Problem>> Deprecate(
        string block, string version, RetireVersionRequest request, SystemDb db, OperatorCaller caller, CancellationToken cancel) =>
        Become(VersionState.Deprecated, [VersionState.Published], block, version, request, db, caller, cancel);

    /// <summary>
    /// Takes a version, such as one that says <c>ok</c> and is wrong, out of use for good: a corrected one is published under a higher
    /// number. A second time changes nothing.
    /// </summary>
    public static Task<Results<Ok<RetiredVersionView>, Problem>> Withdraw(
        string block, string version, RetireVersionRequest request, SystemDb db, OperatorCaller caller, CancellationToken cancel) =>
        Become(VersionState.Withdrawn, [VersionState.Published, VersionState.Deprecated], block, version, request, db, caller, cancel);

    private static async Task<Results<Ok<RetiredVersionView>, Problem>> Become(
        VersionState state, VersionState[] from, string block, string version, RetireVersionRequest request, SystemDb db,
        OperatorCaller caller, CancellationToken cancel)
    {
        if (ShownText.Refusal(ShownText.TextFaults(request.Reason, "/reason")) is { } unfit)
        {
            return unfit;
        }

        var wanted = Wire.Name(state);
        string[] before = [.. from.Select(Wire.Name)];
        if (await db.Execute(
            $"update catalog.block_version set state = {wanted} where slug = {block} and version = {version} and state = any({before})",
            cancel) == 1)
        {
            await new AuditLog(db).Append(
                caller, TenantId.None, $"block_version.{wanted}", $"{block}/{version}", new { block, version, request.Reason }, cancel);
        }

        if (await db.Scalar<string>(
            $"select state from catalog.block_version where slug = {block} and version = {version}", cancel) is not { } now)
        {
            return Web.Problems.NotFound.With();
        }

        var newest = await db.Scalar<string>(
            $"""
            select version from catalog.block_version where slug = {block} and state <> {Wire.Name(VersionState.Withdrawn)}
            order by state = {Wire.Name(VersionState.Deprecated)}, major desc, minor desc, patch desc limit 1
            """,
            cancel);
        return TypedResults.Ok(new RetiredVersionView(block, version, now, newest));
    }
}
