using System.Net;

namespace NetAutomation.Tests.Support;

/// <summary>A key that an admin issued to a member of its own.</summary>
internal sealed record MemberKey(string Member, string Key, string Secret);

internal static class MemberKeys
{
    /// <summary>Adds a member of this role and issues a key to it, by the API.</summary>
    public static async Task<MemberKey> NewMemberKey(this HttpClient admin, string role, DateTimeOffset? expiresAt = null)
    {
        var member = (await admin.Call("POST", "/v1/members", new { name = $"{role} {Guid.NewGuid():n}", role }))
            .Must(HttpStatusCode.Created).Json.GetProperty("id").GetString()!;
        var key = (await admin.Call("POST", "/v1/api-keys", new { name = "n", memberId = member, expiresAt }))
            .Must(HttpStatusCode.Created).Json;
        return new(member, key.GetProperty("id").GetString()!, key.GetProperty("secret").GetString()!);
    }
}
