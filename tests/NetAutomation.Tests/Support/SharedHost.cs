using System.Net;
using System.Net.Http.Json;
using System.Text.Json;

namespace NetAutomation.Tests.Support;

/// <summary>One running service for a test class; each test creates its own tenants.</summary>
public sealed class SharedHost(PostgresServer postgres) : IAsyncLifetime
{
    public ServiceHost Host { get; private set; } = null!;

    public TestDatabase Database { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        Database = await postgres.Create();
        Host = await ServiceHost.Start(Database);
    }

    public ValueTask DisposeAsync() => Host.DisposeAsync();
}

/// <summary>Requests in one line.</summary>
internal static class Calls
{
    public static async Task<Answer> Call(this HttpClient client, string method, string path, object? body = null, string? ifMatch = null)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        request.Content = body switch { null => null, HttpContent content => content, _ => JsonContent.Create(body) };
        if (ifMatch is not null)
        {
            request.Headers.TryAddWithoutValidation("If-Match", ifMatch);
        }

        using var response = await client.SendAsync(request);
        var text = await response.Content.ReadAsStringAsync();
        return new Answer(response.StatusCode, text, response.Headers.ETag?.Tag, response.Headers.Location?.ToString());
    }
}

/// <summary>An answer with its whole body.</summary>
internal sealed record Answer(HttpStatusCode Status, string Text, string? ETag, string? Location)
{
    public JsonElement Json => JsonElement.Parse(Text);

    public string Id => Json.GetProperty("id").GetString()!;

    public string Problem => Json.GetProperty("type").GetString()!["/problems/".Length..];

    /// <summary>Faults as <c>pointer code</c>.</summary>
    public IReadOnlyList<string> Faults =>
        [.. Json.GetProperty("errors").EnumerateArray().Select(error => $"{error.GetProperty("pointer")} {error.GetProperty("code")}")];

    public Answer Must(HttpStatusCode status)
    {
        Status.ShouldBe(status, Text);
        return this;
    }
}
