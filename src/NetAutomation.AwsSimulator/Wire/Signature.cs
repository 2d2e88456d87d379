using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http.Features;

namespace NetAutomation.AwsSimulator.Wire;

/// <summary>Verifies Signature Version 4 (AWS: Create a signed API request).</summary>
internal sealed class Signature(IReadOnlyList<AccountOptions> accounts, TimeProvider clock)
{
    private const string Algorithm = "AWS4-HMAC-SHA256";
    private static readonly TimeSpan Skew = TimeSpan.FromMinutes(15);

    private readonly Dictionary<string, AccountOptions> _keys = accounts.ToDictionary(a => a.AccessKey, StringComparer.Ordinal);

    public async Task<AwsCall> VerifyAsync(HttpContext context)
    {
        var request = context.Request;
        using var buffer = new MemoryStream();
        await request.Body.CopyToAsync(buffer, context.RequestAborted);
        var body = buffer.ToArray();

        var fields = Fields(request.Headers.Authorization.ToString());
        var scope = fields.GetValueOrDefault("Credential", "").Split('/');
        if (scope is not [_, _, _, _, "aws4_request"]
            || !fields.TryGetValue("Signature", out var signature) || !fields.TryGetValue("SignedHeaders", out var signedHeaders))
        {
            throw new AwsException("MissingAuthenticationToken", "Request is missing Authentication Token", 403);
        }
        if (!_keys.TryGetValue(scope[0], out var key))
        {
            throw new AwsException("InvalidClientTokenId", "The security token included in the request is invalid.", 403);
        }

        var time = request.Headers["X-Amz-Date"].ToString();
        var valid = DateTimeOffset.TryParseExact(time, "yyyyMMdd'T'HHmmss'Z'", CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var at)
            && (clock.GetUtcNow() - at).Duration() <= Skew
            && time.StartsWith(scope[1], StringComparison.Ordinal);
        var expected = Compute(request, body, signedHeaders, scope, time, key.Secret);
        if (!valid || !CryptographicOperations.FixedTimeEquals(Encoding.ASCII.GetBytes(expected), Encoding.ASCII.GetBytes(signature)))
        {
            throw new AwsException("SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method.", 403);
        }
        return new AwsCall(key.Account, scope[3], request, body, context.RequestAborted);
    }

    private static Dictionary<string, string> Fields(string authorization) =>
        !authorization.StartsWith(Algorithm + " ", StringComparison.Ordinal) ? [] :
        authorization[(Algorithm.Length + 1)..].Split(',', StringSplitOptions.TrimEntries)
            .Select(part => part.Split('=', 2)).Where(pair => pair.Length == 2)
            .DistinctBy(pair => pair[0], StringComparer.Ordinal).ToDictionary(pair => pair[0], pair => pair[1], StringComparer.Ordinal);

    private static string Compute(HttpRequest request, byte[] body, string signedHeaders, string[] scope, string time, string secret)
    {
        // The path is signed as sent, so the raw target is used rather than the decoded path.
        var target = request.HttpContext.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget.Split('?', 2);
        var query = target.Length < 2 ? "" : string.Join('&', target[1].Split('&').Select(p => p.Contains('=', StringComparison.Ordinal) ? p : p + "=").Order(StringComparer.Ordinal));
        var headers = string.Concat(signedHeaders.Split(';').Select(name =>
            $"{name}:{string.Join(',', request.Headers[name].Select(v => string.Join(' ', (v ?? "").Split(' ', StringSplitOptions.RemoveEmptyEntries))))}\n"));
        var canonical = $"{request.Method}\n{target[0]}\n{query}\n{headers}\n{signedHeaders}\n{Hex(SHA256.HashData(body))}";
        var toSign = $"{Algorithm}\n{time}\n{scope[1]}/{scope[2]}/{scope[3]}/aws4_request\n{Hex(SHA256.HashData(Encoding.UTF8.GetBytes(canonical)))}";
        var signingKey = scope.Skip(1).Aggregate(Encoding.UTF8.GetBytes("AWS4" + secret), Mac);
        return Hex(Mac(signingKey, toSign));
    }

    private static byte[] Mac(byte[] key, string text) => HMACSHA256.HashData(key, Encoding.UTF8.GetBytes(text));

    private static string Hex(byte[] bytes) => Convert.ToHexStringLower(bytes);
}
