using System.ComponentModel.DataAnnotations;
using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Persistence;
using NetAutomation.Web;

namespace NetAutomation.Tenants.Keys;

/// <summary>An API key without its secret.</summary>
/// <param name="Id">The key.</param>
/// <param name="Name">What it is for.</param>
/// <param name="Member">The person or system it was issued to.</param>
/// <param name="Role">What it may do.</param>
/// <param name="Prefix">Start of the secret.</param>
/// <param name="CreatedAt">When it was issued.</param>
/// <param name="LastUsedAt">When it was last used, to the minute.</param>
/// <param name="RevokedAt">When it was revoked.</param>
/// <param name="ExpiresAt">When it ends by itself.</param>
public sealed record ApiKeyView(
    ApiKeyId Id,
    string Name,
    string Member,
    MemberRole Role,
    string Prefix,
    DateTimeOffset CreatedAt,
    DateTimeOffset? LastUsedAt,
    DateTimeOffset? RevokedAt,
    DateTimeOffset? ExpiresAt);

/// <summary>Asks for an API key.</summary>
/// <param name="Name">What it is for.</param>
/// <param name="Member">The person or system it is for.</param>
/// <param name="Role">What it may do.</param>
/// <param name="ExpiresAt">When it ends by itself; never where omitted.</param>
public sealed record CreateApiKeyRequest(
    [property: StringLength(100)] string Name, [property: StringLength(100)] string Member, MemberRole Role,
    DateTimeOffset? ExpiresAt = null);

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
        foreach (var (pointer, text) in new[] { ("/name", request.Name), ("/member", request.Member) })
        {
            if (text.Length is < 1 or > 100)
            {
                return Web.Problems.Refused.At(pointer, "length", "1 to 100 characters.");
            }
        }

        if (request.ExpiresAt <= clock.GetUtcNow())
        {
            return Web.Problems.Refused.At("/expiresAt", "out_of_range", "The time must be in the future.");
        }

        var key = await ApiKeys.Issue(db, caller.Tenant, request.Name, request.Member, request.Role, cancel, request.ExpiresAt);
        await audit.Append(
            caller, "api_key.created", $"{key.Id}", new { request.Name, request.Member, request.Role, key.Prefix, request.ExpiresAt },
            cancel);
        return TypedResults.Created($"/v1/api-keys/{key.Id}", key);
    }

    /// <summary>Issues a key like another, which goes on working for a while so that every user of it can change over.</summary>
    public static async Task<Results<Created<NewApiKeyView>, Problem>> RotateApiKey(
        ApiKeyId id, RotateApiKeyRequest request, NetAutomationDb db, Caller caller, AuditLog audit, TenantDirectory directory,
        CancellationToken cancel)
    {
        if (request.OverlapSeconds is < 0 or > LongestOverlap)
        {
            return Web.Problems.Refused.At("/overlapSeconds", "out_of_range", $"0 to {LongestOverlap} seconds.");
        }

        var found = await db.Query<Rotated>(
            $"""
            select name, member, role, revoked_at is null and expires_at is null as lasts from onboarding.api_key
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

        var key = await ApiKeys.Issue(db, caller.Tenant, old.Name, old.Member, old.Role, cancel);
        var until = await db.Scalar<DateTimeOffset>(
            $"""
            update onboarding.api_key set expires_at = now() + make_interval(secs => {request.OverlapSeconds})
            where tenant_id = {caller.Tenant.Value} and id = {id.Value} returning expires_at
            """,
            cancel);
        await audit.Append(caller, "api_key.rotated", $"{id}", new { by = key.Id, key.Prefix, expiresAt = until }, cancel);
        db.AfterCommit.Add(directory.Forget);
        return TypedResults.Created($"/v1/api-keys/{key.Id}", key);
    }

    /// <summary>The tenant's keys, newest first, revoked ones too.</summary>
    public static Task<Results<Ok<Page<ApiKeyView>>, Problem>> ListApiKeys(
        NetAutomationDb db, Caller caller, [AsParameters] PageQuery page, CancellationToken cancel) =>
        page.Answer(
            "api-keys",
            (below, take) => db.Query<ApiKeyView>(
                $"""
                select id, name, member, role, prefix, created_at, last_used_at, revoked_at, expires_at from onboarding.api_key
                where tenant_id = {caller.Tenant.Value} and ({below}::uuid is null or id < {below}) order by id desc limit {take}
                """,
                cancel),
            view => view.Id.Value);

    /// <summary>Revokes a key. The last lasting admin key stays, since nobody could issue another.</summary>
    public static async Task<Results<NoContent, Problem>> RevokeApiKey(
        ApiKeyId id, NetAutomationDb db, Caller caller, AuditLog audit, TenantDirectory directory, CancellationToken cancel)
    {
        // Locked together, so that two revocations cannot each leave the other's key as the last.
        var admins = await db.Query<ApiKeyId>(
            $"""
            select id from onboarding.api_key
            where tenant_id = {caller.Tenant.Value} and role = 'admin' and revoked_at is null and expires_at is null
            order by id for update
            """,
            cancel);
        if (admins is [var only] && only == id)
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
        db.AfterCommit.Add(directory.Forget);
        return TypedResults.NoContent();
    }

    private sealed record Rotated(string Name, string Member, MemberRole Role, bool Lasts);
}
