using System.Net;
using System.Security.Cryptography;
using System.Text;

namespace NetAutomation.Registration.Browser;

/// <summary>
/// The frame of the registration pages: one document that loads no other file. The browser checks its style and its script by their hashes.
/// </summary>
internal static class PageHtml
{
    public const string FromMarketplace = "This page is opened from AWS Marketplace with “Set up your account”.";

    private const string Style =
        """
        :root{color-scheme:light dark;--line:#8886;--soft:#8882;--good:#1a7f37;--bad:#c62828}
        @media (prefers-color-scheme:dark){:root{--good:#57c471;--bad:#ff8a80}}
        body{font:1rem/1.5 system-ui,sans-serif;max-width:52rem;margin:0 auto;padding:1rem}
        h1{font-size:1.5rem}h2{font-size:1.15rem;margin:.2rem 0}
        ol{list-style:none;padding:0}ol>li{border:1px solid var(--line);border-radius:.5rem;padding:.8rem 1rem;margin:.8rem 0}
        ol>li.later{opacity:.65}.tick{color:var(--good)}.bad{color:var(--bad)}
        pre{background:var(--soft);padding:.7rem;border-radius:.4rem;overflow-x:auto;font-size:.85rem}
        code{overflow-wrap:anywhere}pre code{overflow-wrap:normal}
        .wide{overflow-x:auto}table{border-collapse:collapse}th,td{text-align:left;padding:.25rem .8rem .25rem 0;vertical-align:top}
        label{display:block;margin:.4rem 0}input,textarea{font:inherit;width:100%;box-sizing:border-box;padding:.4rem}
        button{font:inherit;padding:.45rem .9rem;margin:.3rem .3rem .3rem 0;cursor:pointer}
        """;

    // Polls the status, draws the table again, and reloads the page at the next step unless the buyer is typing.
    private const string Script =
        """
        (()=>{const main=document.querySelector('main'),by=id=>document.getElementById(id);
        async function look(){try{
        const answer=await fetch('/marketplace/registration/status',{cache:'no-store'});if(!answer.ok)return;
        const now=await answer.json();by('state').textContent=now.state;
        const rows=by('connections');if(rows)rows.replaceChildren(...now.connections.map(each=>{const row=document.createElement('tr');
        for(const text of[each.endpointId,each.account,each.state,[each.reason,each.advice].filter(Boolean).join(' ')]){
        const cell=document.createElement('td');cell.textContent=text;row.append(cell)}
        return row}));
        if(now.step!==main.dataset.step
        &&![...document.querySelectorAll('input,textarea')].some(field=>field.value!==field.defaultValue))location.reload()
        }finally{setTimeout(look,3000)}}
        if(main.dataset.step)setTimeout(look,3000);
        for(const button of document.querySelectorAll('button[data-copy]')){
        button.hidden=false;button.onclick=async()=>{const from=by(button.dataset.copy);
        try{await navigator.clipboard.writeText(from.textContent);button.textContent='Copied'}
        catch{getSelection().selectAllChildren(from)}}}
        })()
        """;

    private static readonly string _policy =
        $"default-src 'none'; style-src '{Hash(Style)}'; script-src '{Hash(Script)}'; connect-src 'self'; "
        + "form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

    /// <summary>A page with one message and the next action.</summary>
    public static IResult Message(int status, string title, string text) => Page(status, $"<h2>{Text(title)}</h2><p>{Text(text)}</p>");

    /// <param name="step">The step that the page shows. With a step, the page follows the status.</param>
    public static IResult Page(int status, string body, string? step = null) => new Html(
        status,
        $"""
        <!doctype html>
        <html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
        <title>NetAutomation registration</title>
        <style>{Style}</style>{(step is null ? "" : "<noscript><meta http-equiv=\"refresh\" content=\"10\"></noscript>")}</head>
        <body><main{(step is null ? "" : $" data-step=\"{step}\"")}><h1>NetAutomation</h1>
        {body}
        </main><script>{Script}</script></body></html>
        """);

    public static string Text(string text) => WebUtility.HtmlEncode(text);

    /// <summary>A text with a button that copies it. The button shows only where scripts run.</summary>
    public static string Code(string id, string text) =>
        $"<pre id=\"{id}\">{Text(text)}</pre><button type=\"button\" hidden data-copy=\"{id}\">Copy</button>";

    private static string Hash(string text) => $"sha256-{Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(text)))}";

    private sealed record Html(int Status, string Body) : IResult
    {
        public Task ExecuteAsync(HttpContext httpContext)
        {
            var response = httpContext.Response;
            response.StatusCode = Status;
            response.ContentType = "text/html; charset=utf-8";
            response.Headers.CacheControl = "no-store";
            response.Headers.ContentSecurityPolicy = _policy;
            response.Headers["Referrer-Policy"] = "no-referrer";
            response.Headers.XContentTypeOptions = "nosniff";
            return response.WriteAsync(Body, httpContext.RequestAborted);
        }
    }
}
