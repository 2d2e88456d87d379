using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http.Features;

namespace NetAutomation.AwsSimulator.Wire;

/// <summary>
/// Verifies Signature Version 4, in the Authorization header or presigned in the query (AWS: Create a signed API request).
/// </summary>
internal sealed class Signature(IReadOnlyList<AccountOptions> accounts, TimeProvider clock)
{
    private const string Algorithm = "AWS4-HMAC-SHA256";
    private const string TimeFormat = "yyyyMMdd'T'HHmmss'Z'";
    private static readonly TimeSpan _skew = TimeSpan.FromMinutes(15);
    private static readonly TimeSpan _longestPresigned = TimeSpan.FromDays(7);

    private readonly Dictionary<string, AccountOptions> _keys = accounts.ToDictionary(a => a.AccessKey, StringComparer.Ordinal);

    /// <summary>The service that the caller names in its credential scope; nothing is verified.</summary>
    public static string ServiceOf(HttpRequest request) => Read(request) is { Scope: [_, _, _, var service, _] } ? service : "";

    public async Task<AwsCall> VerifyAsync(HttpContext context)
    {
        var request = context.Request;
        using var buffer = new MemoryStream();
        await request.Body.CopyToAsync(buffer, context.RequestAborted);
        var body = buffer.ToArray();

        var proof = Read(request);
        if (proof is not { Scope: [_, _, _, _, "aws4_request"], Signature.Length: > 0, SignedHeaders.Length: > 0 })
        {
            throw new AwsException("MissingAuthenticationToken", "Request is missing Authentication Token", 403);
        }
        if (!_keys.TryGetValue(proof.Scope[0], out var key) || key.SessionToken != proof.Token)
        {
            throw new AwsException("InvalidClientTokenId", "The security token included in the request is invalid.", 403);
        }
        if (!DateTimeOffset.TryParseExact(proof.Time, TimeFormat, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var at)
            || !proof.Time.StartsWith(proof.Scope[1], StringComparison.Ordinal)
            || !proof.SignedHeaders.Split(';').Contains("host")
            || !Equal(Compute(request, body, proof, key.Secret), proof.Signature))
        {
            throw Mismatch(
                "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and "
                    + "signing method. Consult the service documentation for details.");
        }
        var now = clock.GetUtcNow();
        var life = proof.Expires ?? _skew;
        if (now > at + life || proof.Expires > _longestPresigned)
        {
            throw Mismatch(
                $"Signature expired: {proof.Time} is now earlier than {Text(now - life)} ({Text(now)} - {life.TotalMinutes:0} min.)");
        }
        if (at > now + _skew)
        {
            throw Mismatch($"Signature not yet current: {proof.Time} is still later than {Text(now + _skew)} ({Text(now)} + 15 min.)");
        }
        if (key.ExpiresAt <= now)
        {
            throw new AwsException("ExpiredToken", "The security token included in the request is expired", 403);
        }
        return new AwsCall(key, proof.Scope[2], proof.Scope[3], request, body, context.RequestAborted);
    }

    /// <param name="Scope">Access key, day, Region, service, aws4_request.</param>
    /// <param name="Expires">Life of a presigned request; null where the header signs.</param>
    private sealed record Proof(string[] Scope, string SignedHeaders, string Signature, string Time, TimeSpan? Expires, string? Token);

    private static Proof? Read(HttpRequest request)
    {
        if (request.Query["X-Amz-Algorithm"] == Algorithm)
        {
            string Of(string name) => request.Query[name].ToString();
            return int.TryParse(Of("X-Amz-Expires"), NumberStyles.None, CultureInfo.InvariantCulture, out var seconds)
                ? new Proof(
                    Of("X-Amz-Credential").Split('/'), Of("X-Amz-SignedHeaders"), Of("X-Amz-Signature"), Of("X-Amz-Date"),
                    TimeSpan.FromSeconds(seconds), NullIfEmpty(Of("X-Amz-Security-Token")))
                : null;
        }
        var authorization = request.Headers.Authorization.ToString();
        if (!authorization.StartsWith(Algorithm + " ", StringComparison.Ordinal))
        {
            return null;
        }
        var fields = authorization[(Algorithm.Length + 1)..].Split(',', StringSplitOptions.TrimEntries)
            .Select(part => part.Split('=', 2)).Where(pair => pair.Length == 2)
            .DistinctBy(pair => pair[0], StringComparer.Ordinal).ToDictionary(pair => pair[0], pair => pair[1], StringComparer.Ordinal);
        string Field(string name) => fields.GetValueOrDefault(name, "");
        return new Proof(
            Field("Credential").Split('/'), Field("SignedHeaders"), Field("Signature"), request.Headers["X-Amz-Date"].ToString(), null,
            NullIfEmpty(request.Headers["X-Amz-Security-Token"].ToString()));
    }

    private static string Compute(HttpRequest request, byte[] body, Proof proof, string secret)
    {
        // The path is signed as sent, so the raw target is used rather than the decoded path.
        var target = request.HttpContext.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget.Split('?', 2);
        var query = target.Length < 2 ? [] : target[1].Split('&', StringSplitOptions.RemoveEmptyEntries)
            .Select(pair => pair.Split('=', 2)).Select(pair => (Name: Encode(pair[0]), Value: Encode(pair.Length == 2 ? pair[1] : "")))
            .Where(pair => proof.Expires is null || pair.Name != "X-Amz-Signature")
            .OrderBy(pair => pair.Name, StringComparer.Ordinal).ThenBy(pair => pair.Value, StringComparer.Ordinal)
            .Select(pair => $"{pair.Name}={pair.Value}");
        var headers = string.Concat(
            proof.SignedHeaders.Split(';').Select(name => $"{name}:{string.Join(',', request.Headers[name].Select(OneSpaced))}\n"));
        var canonical =
            $"{request.Method}\n{target[0]}\n{string.Join('&', query)}\n{headers}\n{proof.SignedHeaders}\n{Hex(SHA256.HashData(body))}";
        var toSign =
            $"{Algorithm}\n{proof.Time}\n{string.Join('/', proof.Scope[1..])}\n{Hex(SHA256.HashData(Encoding.UTF8.GetBytes(canonical)))}";
        var signingKey = proof.Scope.Skip(1).Aggregate(Encoding.UTF8.GetBytes("AWS4" + secret), Mac);
        return Hex(Mac(signingKey, toSign));
    }

    private static AwsException Mismatch(string message) => new("SignatureDoesNotMatch", message, 403);

    private static string OneSpaced(string? value) =>
        string.Join(' ', (value ?? "").Split(' ', StringSplitOptions.RemoveEmptyEntries));

    private static string? NullIfEmpty(string value) => value.Length > 0 ? value : null;

    private static string Encode(string sent) => Uri.EscapeDataString(Uri.UnescapeDataString(sent));

    private static string Text(DateTimeOffset time) => time.UtcDateTime.ToString(TimeFormat, CultureInfo.InvariantCulture);

    private static bool Equal(string expected, string given) =>
        CryptographicOperations.FixedTimeEquals(Encoding.ASCII.GetBytes(expected), Encoding.ASCII.GetBytes(given));

    private static byte[] Mac(byte[] key, string text) => HMACSHA256.HashData(key, Encoding.UTF8.GetBytes(text));

    private static string Hex(byte[] bytes) => Convert.ToHexStringLower(bytes);
}
