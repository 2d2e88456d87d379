using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace NetAutomation.Tests.Support;

/// <summary>
/// Holds every refusal that any test gets from the customers' listener against docs/openapi.json: what a problem carries stands there.
/// </summary>
internal sealed partial class ProblemContract(HttpMessageHandler inner) : DelegatingHandler(inner)
{
    private static readonly string[] _headers = ["Retry-After", "RateLimit", "RateLimit-Policy"];
    private static readonly JsonNode _document =
        JsonNode.Parse(File.ReadAllText(Path.Combine(PostgresServer.RepositoryRoot(), "docs/openapi.json")))!;
    private static readonly HashSet<string> _members =
        [.. _document["components"]!["schemas"]!["Problem"]!["properties"]!.AsObject().Select(member => member.Key)];
    private static readonly (Regex Path, JsonObject Verbs)[] _operations =
    [
        .. _document["paths"]!.AsObject().OrderBy(path => path.Key.Count(c => c == '{')).Select(path => (
            new Regex($"^{Parameter().Replace(Regex.Escape(path.Key), "[^/]+")}$", RegexOptions.None, TimeSpan.FromSeconds(1)),
            path.Value!.AsObject())),
    ];

    /// <summary>What the answer has and the document lacks.</summary>
    public static IEnumerable<string> Undocumented(HttpRequestMessage request, HttpResponseMessage answer, string body)
    {
        var lacking = JsonNode.Parse(body)!.AsObject().Select(member => member.Key).Except(_members).Select(name => $"member {name}");
        var verb = request.Method == HttpMethod.Head ? "get" : request.Method.Method.ToLowerInvariant();
        var path = request.RequestUri!.AbsolutePath;
        var operation = Array.Find(_operations, each => each.Path.IsMatch(path)).Verbs?[verb];
        if (operation?["responses"]?[$"{(int)answer.StatusCode}"] is not { } response)
        {
            return lacking;
        }

        // The rate of a request is told with every answer, and stands in the document where it says why one is refused.
        var told = _headers.Where(header => answer.Headers.Contains(header) && (header == "Retry-After" || (int)answer.StatusCode == 429));
        return [.. lacking, .. told.Where(header => response["headers"]?[header] is null).Select(header => $"header {header}")];
    }

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var answer = await base.SendAsync(request, cancellationToken);
        if (answer.Content.Headers.ContentType?.MediaType == "application/problem+json" && request.Method != HttpMethod.Head)
        {
            await answer.Content.LoadIntoBufferAsync(cancellationToken);
            Undocumented(request, answer, await answer.Content.ReadAsStringAsync(cancellationToken))
                .ShouldBeEmpty($"{request.Method} {request.RequestUri!.AbsolutePath}: docs/openapi.json lacks what the problem has");
        }

        return answer;
    }

    /// <summary>A parameter of an escaped path.</summary>
    [GeneratedRegex(@"\\\{\w+\}", RegexOptions.None, 1000)]
    private static partial Regex Parameter();
}
