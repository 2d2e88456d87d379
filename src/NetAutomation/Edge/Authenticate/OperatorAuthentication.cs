using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Options;
using NetAutomation.Web;
using NetAutomation.Web.Rates;

namespace NetAutomation.Edge.Authenticate;

/// <summary>Authenticates the provider's staff by bearer key. The configuration holds hashes only.</summary>
internal sealed class OperatorAuthentication(IOptionsMonitor<OperatorOptions> options, EdgeMetrics metrics, RateLimits rates)
{
    public async Task Handle(HttpContext context, RequestDelegate next)
    {
        if (BearerToken.Of(context) is { } token && NameOf(token) is { } name)
        {
            context.Features.Set(new OperatorCaller(name));
            await next(context);
            return;
        }

        metrics.Unauthorized(Listener.Operator, "operator_key");
        if (rates.Failed(context) is { } often)
        {
            await often.ExecuteAsync(context);
            return;
        }

        context.Response.Headers.WWWAuthenticate = "Bearer";
        await Problems.Unauthorized.With().ExecuteAsync(context);
    }

    private string? NameOf(string token)
    {
        var hash = SHA256.HashData(Encoding.UTF8.GetBytes(token));
        return Array.Find(
            options.CurrentValue.Keys, key => CryptographicOperations.FixedTimeEquals(Convert.FromHexString(key.Sha256), hash))?.Name;
    }
}
