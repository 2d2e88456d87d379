namespace NetAutomation.Web.Http;

/// <summary>Strong ETags over row versions (RFC 9110, section 8.8.3).</summary>
internal static class ETags
{
    public static void Show(HttpContext http, int version) => http.Response.Headers.ETag = $"\"{version}\"";

    /// <summary>
    /// Null where If-Match names this version: 428 without the header, unless the operation lets it be left out; 412 with a stale one.
    /// </summary>
    public static Problem? Check(HttpContext http, int version)
    {
        var wanted = http.Request.Headers.IfMatch;
        if (wanted.Count == 0)
        {
            return http.GetEndpoint()?.Metadata.GetMetadata<OptionalMatch>() is null ? Problems.PreconditionRequired.With() : null;
        }

        return wanted == "*" || wanted == $"\"{version}\"" ? null : Problems.PreconditionFailed.With();
    }
}
