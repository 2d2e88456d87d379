using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;

namespace NetAutomation.Tests.Aws;

/// <summary>Recomputes a SigV4 signature from the received request (IAM User Guide, "Create a signed AWS API request").</summary>
internal static class SignatureV4
{
    /// <summary>Why the signature is wrong, or null when it is right.</summary>
    public static string? Fault(HttpRequest request, byte[] body, string accessKey, string secret, string region, string service)
    {
        var header = request.Headers.Authorization.ToString();
        const string Algorithm = "AWS4-HMAC-SHA256";
        if (!header.StartsWith(Algorithm + " ", StringComparison.Ordinal))
            return "no SigV4 authorization";

        var fields = header[Algorithm.Length..].Split(',').Select(f => f.Trim().Split('=', 2)).ToDictionary(f => f[0], f => f[1]);
        var time = request.Headers["X-Amz-Date"].ToString();
        var scope = $"{time[..8]}/{region}/{service}/aws4_request";
        if (fields["Credential"] != $"{accessKey}/{scope}")
            return $"credential {fields["Credential"]} is not for {scope}";

        var signed = fields["SignedHeaders"].Split(';');
        if (!signed.Contains("host") || !signed.Contains("x-amz-date"))
            return $"signed headers {fields["SignedHeaders"]} leave out host or date";

        var headers = string.Concat(signed.Select(name => $"{name}:{request.Headers[name].ToString().Trim()}\n"));
        var canonical = $"{request.Method}\n{request.Path}\n{request.QueryString.Value?.TrimStart('?')}\n"
            + $"{headers}\n{fields["SignedHeaders"]}\n{Hex(SHA256.HashData(body))}";
        var toSign = $"{Algorithm}\n{time}\n{scope}\n{Hex(SHA256.HashData(Encoding.UTF8.GetBytes(canonical)))}";
        var key = Encoding.UTF8.GetBytes("AWS4" + secret);
        foreach (var part in (string[])[time[..8], region, service, "aws4_request", toSign])
            key = HMACSHA256.HashData(key, Encoding.UTF8.GetBytes(part));
        return fields["Signature"] == Hex(key) ? null : "signature does not match";
    }

    private static string Hex(byte[] bytes) => Convert.ToHexStringLower(bytes);
}
