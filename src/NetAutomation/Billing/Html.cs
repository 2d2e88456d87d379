using System.Net;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http.HttpResults;

namespace NetAutomation.Billing;

/// <summary>Pages to look at and to print. They load nothing, and every text in them is escaped.</summary>
internal static class Html
{
    /// <param name="style">Styles of the page, the only ones it may use.</param>
    public static ContentHttpResult Page(HttpContext http, string title, string style, string body)
    {
        var digest = Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(style)));
        http.Response.Headers.CacheControl = "no-store";
        http.Response.Headers.ContentSecurityPolicy =
            $"default-src 'none'; style-src 'sha256-{digest}'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
        http.Response.Headers.XContentTypeOptions = "nosniff";
        return TypedResults.Text(
            $"""
            <!doctype html><html lang="en">
            <head><meta charset="utf-8"><title>{Text(title)}</title><style>{style}</style></head>
            <body><h1>{Text(title)}</h1>
            {body}
            </body></html>
            """,
            "text/html", Encoding.UTF8);
    }

    public static string Text(string? text) => WebUtility.HtmlEncode(text ?? "");
}
