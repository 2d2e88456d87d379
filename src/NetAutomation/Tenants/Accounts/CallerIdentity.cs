using System.Text.RegularExpressions;
using System.Xml;
using System.Xml.Linq;
using Microsoft.Extensions.Options;
using NetAutomation.Connections;
using NetAutomation.Web;

namespace NetAutomation.Tenants.Accounts;

/// <summary>
/// Asks AWS STS who signed a request (AWS STS API Reference, GetCallerIdentity; Signature Version 4, query parameters). The customer signs
/// the request and this service sends it. So it sends to AWS STS only, and believes only a request that signs this service's own value.
/// </summary>
internal sealed partial class CallerIdentity : IDisposable
{
    /// <summary>Must be among the signed headers, with the challenge as its value.</summary>
    public const string Header = "x-netautomation-challenge";

    public const int LongestUrl = 8192;
    private const int LargestAnswer = 64 * 1024;
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(10);

    // Another parameter could turn the request into another call, or each side could read it differently.
    private static readonly HashSet<string> _parameters = new(StringComparer.Ordinal)
    {
        "Action", "Version", "X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature",
        "X-Amz-Security-Token",
    };

    private readonly HttpClient _http;
    private readonly Uri? _only;

    public CallerIdentity(IOptions<TenantsOptions> options)
    {
        _only = options.Value.StsUrl.Length > 0 ? new Uri(options.Value.StsUrl) : null;
        _http =
            new HttpClient(
                new SocketsHttpHandler
                {
                    AllowAutoRedirect = false, UseCookies = false, PooledConnectionLifetime = TimeSpan.FromMinutes(5)
                })
            {
                Timeout = _patience,
                MaxResponseContentBufferSize = LargestAnswer,
            };
    }

    /// <summary>The account that signed this URL over the challenge.</summary>
    public async Task<Outcome<string>> Account(string url, string challenge, CancellationToken cancel)
    {
        if (Fault(url) is { } fault)
        {
            return Problems.BadProof.At("/url", "not_presigned", fault);
        }

        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(url));
        request.Headers.TryAddWithoutValidation(Header, challenge);
        request.Headers.TryAddWithoutValidation("Accept", "application/xml");
        try
        {
            using var answer = await _http.SendAsync(request, cancel);
            if ((int)answer.StatusCode is 429 or >= 500)
            {
                return Problems.StsUnavailable.With();
            }

            return answer.IsSuccessStatusCode && Read(await answer.Content.ReadAsStringAsync(cancel)) is { } account
                ? account
                : Problems.BadProof.At(
                    "/url", "refused",
                    $"AWS STS refused it ({(int)answer.StatusCode}). "
                    + "Sign it anew: over the current challenge, with credentials that are valid now.");
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException && !cancel.IsCancellationRequested)
        {
            return Problems.StsUnavailable.With();
        }
    }

    /// <summary>Why this is not a presigned GetCallerIdentity that may be sent; null where it is.</summary>
    internal string? Fault(string url)
    {
        if (url.Length > LongestUrl || !Uri.TryCreate(url, UriKind.Absolute, out var uri))
        {
            return "This is no URL.";
        }

        // Every parser must read the same URL: no user, no fragment, no other path, and no character that some parsers normalize.
        var safe = Plain().IsMatch(url) && uri.UserInfo.Length == 0 && uri.Fragment.Length == 0 && uri.AbsolutePath == "/";
        var host = _only is null
            ? uri is { Scheme: "https", IsDefaultPort: true } && (uri.Host == "sts.amazonaws.com" || Regional().IsMatch(uri.Host))
            : uri.Scheme == _only.Scheme && uri.Authority == _only.Authority;
        if (!safe || !host)
        {
            return "The URL must be https://sts.amazonaws.com/?… or https://sts.REGION.amazonaws.com/?…";
        }

        var seen = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var part in uri.Query.TrimStart('?').Split('&'))
        {
            var (name, value) = part.Split('=', 2) is [var left, var right] ? (left, Uri.UnescapeDataString(right)) : (part, "");
            if (!_parameters.Contains(name) || !seen.TryAdd(name, value))
            {
                return "The URL has a parameter that a presigned GetCallerIdentity does not have.";
            }
        }

        return seen.GetValueOrDefault("Action") != "GetCallerIdentity" || seen.GetValueOrDefault("Version") != "2011-06-15"
            ? "The URL must be for Action=GetCallerIdentity&Version=2011-06-15."
            : seen.GetValueOrDefault("X-Amz-Algorithm") != "AWS4-HMAC-SHA256" || !seen.ContainsKey("X-Amz-Signature")
                ? "The URL is not presigned."
            : seen.GetValueOrDefault("X-Amz-SignedHeaders") != $"host;{Header}" ? $"The signed headers must be host;{Header}."
            : null;
    }

    public void Dispose() => _http.Dispose();

    private static string? Read(string answer)
    {
        try
        {
            using var reader =
                XmlReader.Create(
                    new StringReader(answer), new XmlReaderSettings { DtdProcessing = DtdProcessing.Prohibit, XmlResolver = null });
            return XDocument.Load(reader).Root is { Name.LocalName: "GetCallerIdentityResponse" } root
                && root.Elements().FirstOrDefault(each => each.Name.LocalName == "GetCallerIdentityResult") is { } result
                && result.Elements().SingleOrDefault(each => each.Name.LocalName == "Account") is { } account
                    && AwsAccount.IsNumber(account.Value)
                ? account.Value : null;
        }
        catch (Exception e) when (e is XmlException or InvalidOperationException)
        {
            return null;
        }
    }

    [GeneratedRegex(
        @"^sts\.[a-z]{2}(-[a-z]+){1,3}-\d\.amazonaws\.com$", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Regional();

    [GeneratedRegex(@"^[A-Za-z0-9:/.?&=%_~+-]+$", RegexOptions.CultureInvariant, 1000)]
    private static partial Regex Plain();
}
