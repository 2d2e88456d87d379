using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Options;
using NetAutomation.Persistence;

namespace NetAutomation.Registration.Browser;

/// <summary>The session of the buyer's browser, identified by a random cookie. Marketplace's token is used once and never stored.</summary>
internal sealed class BuyerSession(SystemDb db, IOptions<RegistrationOptions> options)
{
    private const string Cookie = "na_registration";
    private static readonly TimeSpan _life = TimeSpan.FromHours(24);

    public async Task Begin(HttpContext http, TenantId tenant, CancellationToken cancel)
    {
        var value = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(32));
        await db.Execute($"delete from onboarding.registration_session where expires_at < now()", cancel);
        await db.Execute(
            $"""
            insert into onboarding.registration_session (tenant_id, sha256, expires_at)
            values ({tenant.Value}, {Hash(value)}, now() + {_life})
            """,
            cancel);
#pragma warning disable S2092 // Off by configuration only.
        http.Response.Cookies.Append(Cookie, value, new CookieOptions
        {
            HttpOnly = true,
            SameSite = SameSiteMode.Lax,
            Secure = options.Value.SecureCookie,
            Path = "/marketplace",
            MaxAge = _life,
            IsEssential = true,
        });
#pragma warning restore S2092
    }

    public async Task<TenantId?> Tenant(HttpContext http, CancellationToken cancel)
    {
        if (http.Request.Cookies[Cookie] is not { Length: > 0 and < 100 } value)
        {
            return null;
        }

        return await db.Scalar<TenantId?>(
            $"select tenant_id from onboarding.registration_session where sha256 = {Hash(value)} and expires_at > now()", cancel);
    }

    /// <summary>False for a suspended or ended tenant, which may not add accounts.</summary>
    public Task<bool> MayClaim(TenantId tenant, CancellationToken cancel) =>
        db.Scalar<bool>(
            $"select exists (select from onboarding.tenant where tenant_id = {tenant.Value} and state in ('pending', 'active'))", cancel);

    private static byte[] Hash(string value) => SHA256.HashData(Encoding.UTF8.GetBytes(value));
}
