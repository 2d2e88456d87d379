using Microsoft.AspNetCore.Http.Features;

namespace NetAutomation.Web.Http;

/// <summary>
/// Answers HEAD on every route that has GET, with the status and the headers of GET and without a body (RFC 9110, section 9.3.2). The first
/// write or flush of a body completes the answer with its headers, so that no DATA frame follows them in HTTP/2, which clients refuse. Then
/// the handler's request is cancelled as if the client had left, and a stream ends.
/// </summary>
internal static class HeadRequests
{
    /// <summary>Middleware in front of routing, which then looks for GET.</summary>
    public static async Task Answer(HttpContext context, RequestDelegate next)
    {
        if (!HttpMethods.IsHead(context.Request.Method))
        {
            await next(context);
            return;
        }

        var (request, response, body) = (context.Request, context.Response, context.Response.Body);
        var client = context.Features.GetRequiredFeature<IHttpRequestLifetimeFeature>();
        using var answered = CancellationTokenSource.CreateLinkedTokenSource(client.RequestAborted);
        request.Method = HttpMethods.Get;
        // Ranges are defined for GET alone (RFC 9110, section 14.2).
        request.Headers.Remove("Range");
        response.Body = new NoBody(context.Features.GetRequiredFeature<IHttpResponseBodyFeature>(), answered);
        context.Features.Set<IHttpRequestLifetimeFeature>(new Lifetime(client, answered.Token));
        try
        {
            await next(context);
        }
        catch (OperationCanceledException) when (response.HasStarted && !client.RequestAborted.IsCancellationRequested)
        {
            // The handler stopped where nobody reads any more.
        }
        finally
        {
            response.Body = body;
            context.Features.Set(client);
            request.Method = HttpMethods.Head;
        }
    }

    /// <summary>The request is HEAD, whatever its method is called behind <see cref="Answer"/>.</summary>
    public static bool Is(HttpContext context) => context.Features.Get<IHttpRequestLifetimeFeature>() is Lifetime;

    /// <summary>Of a request that is over for its handler once it is answered. A handler that aborts it then aborts nothing.</summary>
    private sealed class Lifetime(IHttpRequestLifetimeFeature client, CancellationToken answered) : IHttpRequestLifetimeFeature
    {
        private readonly CancellationToken _answered = answered;

        public CancellationToken RequestAborted { get; set; } = answered;

        public void Abort()
        {
            if (!_answered.IsCancellationRequested)
            {
                client.Abort();
            }
        }
    }

    /// <summary>Takes a body and sends the headers alone.</summary>
    private sealed class NoBody(IHttpResponseBodyFeature response, CancellationTokenSource answered) : Stream
    {
        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override async Task FlushAsync(CancellationToken cancellationToken)
        {
            if (!answered.IsCancellationRequested)
            {
                await response.CompleteAsync();
                await answered.CancelAsync();
            }
        }

        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) =>
            await FlushAsync(cancellationToken);

        public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            FlushAsync(cancellationToken);

        public override void Flush()
        {
            // What flushes here writes asynchronously, too, and that sends the headers.
        }

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();
    }
}
