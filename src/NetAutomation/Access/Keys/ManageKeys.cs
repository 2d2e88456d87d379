using System.ComponentModel.DataAnnotations;
using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Access.KeepMembers;
using NetAutomation.Persistence;
using NetAutomation.Web;

namespace NetAutomation.Access.Keys;

/// <summary>An API key without its secret.</summary>
/// <param name="Id">The key.</param>
/// <param name="Name">What it is for.</param>
/// <param name="MemberId">Whose it is.</param>
/// <param name="Member">The member's name.</param>
/// <param name="Role">What it may do: as much as its member.</param>
/// <param name="Prefix">Start of the secret.</param>
/// <param name="CreatedAt">When it was issued.</param>
/// <param name="LastUsedAt">When it was last used, to the minute.</param>
/// <param name="RevokedAt">When it was revoked.</param>
/// <param name="ExpiresAt">When it ends by itself.</param>
public sealed record ApiKeyView(
    ApiKeyId Id,
    string Name,
    MemberId MemberId,
    string Member,
    MemberRole Role,
    string Prefix,
    DateTimeOffset CreatedAt,
    DateTimeOffset? LastUsedAt,
    DateTimeOffset? RevokedAt,
    DateTimeOffset? ExpiresAt);

/// <summary>Asks for an API key.</summary>
/// <param name="Name">What it is for.</param>
/// <param name="MemberId">The active member it is for; the key may do what the member may.</param>
/// <param name="ExpiresAt">When it ends by itself; never where omitted.</param>
public sealed record CreateApiKeyRequest(
    [property: StringLength(100)] string Name, MemberId MemberId, DateTimeOffset? ExpiresAt = null);

/// <summary>Asks for a key in the place of another.</summary>
/// <param name="OverlapSeconds">How long the old key still works beside the new one: 0 to 2592000, a day where omitted.</param>
public sealed record RotateApiKeyRequest([property: Range(0, 2_592_000)] int OverlapSeconds = 24 * 3600);

internal static class ManageKeys
{
    private const int LongestOverlap = 30 * 24 * 3600;

    /// <summary>Issues a key; its secret is in this answer and nowhere else.</summary>
    public static async Task<Results<Created<NewApiKeyView>, Problem>> CreateApiKey(
        CreateApiKeyRequest request, NetAutomationDb db, Caller caller, AuditLog audit, TimeProvider clock, CancellationToken cancel)
    {
        if (ShownText.Refusal(ShownText.NameFaults(request.Name, "/name", 100)) is { } refused)
        {
            return refused;
        }

        if (request.ExpiresAt <= clock.GetUtcNow())
        {
            return Web.Problems.Refused.At("/expiresAt", "out_of_range", "The time must be in the future.");
        }

        if (!await db.Scalar<bool>(
            $"""
            select exists (
              select from onboarding.member
              where tenant_id = {caller.Tenant.Value} and id = {request.MemberId.Value} and state = 'active')
            """,
            cancel))
        {
            return Web.Problems.Refused.At("/memberId", "unknown", "There is no such active member.");
        }

        var key = await ApiKeys.Issue(db, caller.Tenant, request.MemberId, request.Name, cancel, request.ExpiresAt);
        await audit.Append(
            caller, "api_key.created", $"{key.Id}", new { key.Name, key.MemberId, key.Member, key.Role, key.Prefix, key.ExpiresAt },
            cancel);
        return TypedResults.Created($"/v1/api-keys/{key.Id}", key);
    }

    /// <summary>Issues a key like another, which goes on working for a while so that every user of it can change over.</summary>
    public static async Task<Results<Created<NewApiKeyView>, Problem>> RotateApiKey(
        ApiKeyId id, RotateApiKeyRequest request, NetAutomationDb db, Caller caller, AuditLog audit, KeyDirectory directory,
        CancellationToken cancel)
    {
        if (request.OverlapSeconds is < 0 or > LongestOverlap)
        {
            return Web.Problems.Refused.At("/overlapSeconds", "out_of_range", $"0 to {LongestOverlap} seconds.");
        }

        var found = await db.Query<Rotated>(
            $"""
            select name, member_id, revoked_at is null and expires_at is null as lasts from onboarding.api_key
            where tenant_id = {caller.Tenant.Value} and id = {id.Value} for update
            """,
            cancel);
        if (found is not [var old])
        {
            return Web.Problems.NotFound.With();
        }

        if (!old.Lasts)
        {
            return Web.Problems.Conflict.With("The key was revoked, rotated before, or ends by itself.");
        }

        // The old one first: without an overlap its place is free for the new one, also where the tenant has no other.
        var until = await db.Scalar<DateTimeOffset>(
            $"""
            update onboarding.api_key set expires_at = now() + make_interval(secs => {request.OverlapSeconds})
            where tenant_id = {caller.Tenant.Value} and id = {id.Value} returning expires_at
            """,
            cancel);
        var key = await ApiKeys.Issue(db, caller.Tenant, old.MemberId, old.Name, cancel);
        await audit.Append(caller, "api_key.rotated", $"{id}", new { by = key.Id, key.Prefix, expiresAt = until }, cancel);
        db.AfterCommit.Add(() => directory.Forget(caller.Tenant));
        return TypedResults.Created($"/v1/api-keys/{key.Id}", key);
    }

    /// <summary>The tenant's keys, newest first, revoked ones too.</summary>
    public static Task<Results<Ok<Page<ApiKeyView>>, Problem>> ListApiKeys(
        NetAutomationDb db, Caller caller, [AsParameters] PageQuery page, CancellationToken cancel) =>
        page.Answer(
            "api-keys",
            (below, take) => db.Query<ApiKeyView>(
                $"""
                select k.id, k.name, m.id as member_id, m.name as member, m.role, k.prefix, k.created_at, k.last_used_at, k.revoked_at,
                  k.expires_at
                from onboarding.api_key k join onboarding.member m on m.tenant_id = k.tenant_id and m.id = k.member_id
                where k.tenant_id = {caller.Tenant.Value} and ({below}::uuid is null or k.id < {below}) order by k.id desc limit {take}
                """,
                cancel),
            view => view.Id.Value);

    /// <summary>Revokes a key. The last lasting key of an active admin stays, since nobody could issue another.</summary>
    public static async Task<Results<NoContent, Problem>> RevokeApiKey(
        ApiKeyId id, NetAutomationDb db, Caller caller, AuditLog audit, KeyDirectory directory, CancellationToken cancel)
    {
        if (await LastAdmin.Is(db, caller.Tenant, null, id, cancel))
        {
            return Problems.LastAdminKey.With();
        }

        var known = await db.Execute(
            $"""
            update onboarding.api_key set revoked_at = coalesce(revoked_at, now())
            where tenant_id = {caller.Tenant.Value} and id = {id.Value}
            """,
            cancel);
        if (known == 0)
        {
            return Web.Problems.NotFound.With();
        }

        await audit.Append(caller, "api_key.revoked", $"{id}", null, cancel);
        db.AfterCommit.Add(() => directory.Forget(caller.Tenant));
        return TypedResults.NoContent();
    }

    private sealed record Rotated(string Name, MemberId MemberId, bool Lasts);
}
