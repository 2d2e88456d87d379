using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Options;
using NetAutomation.Web;

namespace NetAutomation.Edge.Authenticate;

/// <summary>Authenticates the provider's staff by bearer key. The configuration holds hashes only.</summary>
internal sealed class OperatorAuthentication(IOptionsMonitor<OperatorOptions> options, EdgeMetrics metrics)
{
    public async Task Handle(HttpContext context, RequestDelegate next)
    {
        if (BearerToken.Of(context) is { } token && NameOf(token) is { } name)
        {
            context.Features.Set(new OperatorCaller(name));
            await ProofFeature.Met(context, next);
            return;
        }

        metrics.Unauthorized(Listener.Operator, "operator_key");
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
