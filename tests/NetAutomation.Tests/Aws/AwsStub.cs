using System.Collections.Concurrent;
using System.Text;
using Amazon.Runtime;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace NetAutomation.Tests.Aws;

/// <summary>
/// An AWS endpoint on loopback: it returns the answers that the test queued, keeps the requests and checks every signature.
/// </summary>
internal sealed class AwsStub : IAsyncDisposable
{
    public const string Region = "eu-central-1";
    private const string AccessKey = "AKIDEXAMPLE";
    private const string Secret = "not/a+real=secret";
    private readonly ConcurrentQueue<Func<HttpContext, Task>> _answers = new();
    private readonly WebApplication _app;
    private readonly string _service;

    private AwsStub(string service)
    {
        _service = service;
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        _app = builder.Build();
        _app.Run(ServeAsync);
    }

    public static AWSCredentials Credentials { get; } = new SessionAWSCredentials(AccessKey, Secret, "session-token");

    public List<Call> Calls { get; } = [];

    public Call Only => Calls.ShouldHaveSingleItem();

    public static async Task<AwsStub> StartAsync(string signingName)
    {
        var stub = new AwsStub(signingName);
        await stub._app.StartAsync();
        return stub;
    }

    public TConfig Configure<TConfig>(int? retries = null) where TConfig : ClientConfig, new()
    {
        var config = new TConfig { ServiceURL = _app.Urls.Single(), AuthenticationRegion = Region, MaxStaleConnectionRetries = 0 };
        if (retries is { } limit)
            config.MaxErrorRetry = limit;
        return config;
    }

    public void Answer(string body, int status = 200, string contentType = "text/xml", params (string Name, string Value)[] headers) =>
        AnswerWith(async context =>
        {
            context.Response.StatusCode = status;
            context.Response.ContentType = contentType;
            foreach (var (name, value) in headers)
                context.Response.Headers[name] = value;
            await context.Response.WriteAsync(body, context.RequestAborted);
        });

    public void AnswerJson(string body, int status = 200, params (string Name, string Value)[] headers) =>
        Answer(body, status, "application/x-amz-json-1.1", headers);

    public void AnswerWith(Func<HttpContext, Task> answer) => _answers.Enqueue(answer);

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private async Task ServeAsync(HttpContext context)
    {
        var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body, context.RequestAborted);
        var bytes = body.ToArray();
        var fault = SignatureV4.Fault(context.Request, bytes, AccessKey, Secret, Region, _service);
        lock (Calls)
            Calls.Add(new Call(
                context.Request.Method + " " + context.Request.Path + context.Request.QueryString,
                context.Request.Headers.ToDictionary(h => h.Key, h => h.Value.ToString(), StringComparer.OrdinalIgnoreCase),
                Encoding.UTF8.GetString(bytes),
                fault));
        if (_answers.TryDequeue(out var answer))
            await answer(context);
        else
            context.Response.StatusCode = StatusCodes.Status410Gone;
    }

    internal sealed record Call(string Line, IReadOnlyDictionary<string, string> Headers, string Body, string? SignatureFault)
    {
        /// <summary>The form parameters without Action and Version, decoded and sorted as sent.</summary>
        public string Parameters =>
            string.Join('\n', Pairs.Where(p => p.Key is not ("Action" or "Version")).Select(p => p.Key + "=" + p.Value));

        public string Action => Pairs.Single(p => p.Key == "Action").Value + "/" + Pairs.Single(p => p.Key == "Version").Value;

        private IEnumerable<KeyValuePair<string, string>> Pairs => Body.Split('&').Select(p => p.Split('=', 2))
            .Select(p => KeyValuePair.Create(Uri.UnescapeDataString(p[0]), Uri.UnescapeDataString(p[1])));
    }
}
