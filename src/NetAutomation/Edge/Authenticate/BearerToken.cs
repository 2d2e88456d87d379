namespace NetAutomation.Edge.Authenticate;

/// <summary>The credential of a request (RFC 6750, section 2.1).</summary>
internal static class BearerToken
{
    private const string Scheme = "Bearer ";
    private const int Longest = 256;

    public static string? Of(HttpContext context) =>
        context.Request.Headers.Authorization is [{ } value] && value.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase)
            && value.Length <= Longest
            ? value[Scheme.Length..].Trim()
            : null;
}
