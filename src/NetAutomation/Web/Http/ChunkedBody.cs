namespace NetAutomation.Web.Http;

/// <summary>
/// A body of HTTP/1.1 whose length nobody gave: fields come after it (RFC 9112, 7.1.2), and for a character that may not stand in a field
/// the server throws what it throws for a fault of its own. Here it is the caller's.
/// </summary>
internal sealed class ChunkedBody(Stream received) : Stream
{
    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <summary>Wraps the body of a request that has one of this kind. A tunnel's streams are of HTTP/2, and stay as they are.</summary>
    public static void Watch(HttpRequest request)
    {
        if (request.Headers.TransferEncoding.Count > 0)
        {
            request.Body = new ChunkedBody(request.Body);
        }
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        try
        {
            return await received.ReadAsync(buffer, cancellationToken);
        }
        catch (InvalidOperationException fault)
        {
            throw new UnreadableBodyException(fault);
        }
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override void Flush()
    {
        // Nothing is written.
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    private sealed class UnreadableBodyException(Exception fault) : BadHttpRequestException("The body cannot be read.", fault);
}
