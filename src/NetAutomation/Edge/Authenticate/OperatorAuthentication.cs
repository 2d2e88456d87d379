using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Options;
using NetAutomation.Web;
using NetAutomation.Web.Rates;

namespace NetAutomation.Edge.Authenticate;

/// <summary>Authenticates the provider's staff by bearer key. The configuration holds hashes only.</summary>
internal sealed class OperatorAuthentication(
    IOptionsMonitor<OperatorOptions> options, EdgeMetrics metrics, RateLimits rates, TimeProvider clock)
{
    public async Task Handle(HttpContext context, RequestDelegate next)
    {
        var key = BearerToken.Of(context) is { } token ? Find(token) : null;
        if (key is not null && key.ExpiresAt > clock.GetUtcNow())
        {
            context.Features.Set(new OperatorCaller(key.Name, key.Roles));
            await ProofFeature.Met(context, next);
            return;
        }

        metrics.Unauthorized(Listener.Operator, key is null ? "operator_key" : "operator_key_expired");
        if (rates.Failed(context) is { } often)
        {
            await often.ExecuteAsync(context);
            return;
        }

        context.Response.Headers.WWWAuthenticate = "Bearer";
        await Problems.Unauthorized.With().ExecuteAsync(context);
    }

    private OperatorKey? Find(string token)
    {
        var hash = SHA256.HashData(Encoding.UTF8.GetBytes(token));
        return Array.Find(
            options.CurrentValue.Keys, key => CryptographicOperations.FixedTimeEquals(Convert.FromHexString(key.Sha256), hash));
    }
}
