namespace NetAutomation.Runs.Follow;

/// <summary>
/// Bytes that are read from the database in parts, as somebody takes them: only one part is in memory, and any range can be read.
/// </summary>
/// <param name="load">The part that holds a position: where it begins, and its bytes.</param>
internal sealed class PagedStream(long length, Func<long, CancellationToken, Task<(long Begin, byte[] Bytes)>> load) : Stream
{
    private long _begin;
    private byte[] _part = [];

    public override bool CanRead => true;

    public override bool CanSeek => true;

    public override bool CanWrite => false;

    public override long Length => length;

    public override long Position { get; set; }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (Position >= length || buffer.Length == 0)
        {
            return 0;
        }

        if (Position < _begin || Position >= _begin + _part.Length)
        {
            (_begin, _part) = await load(Position, cancellationToken);
        }

        var rest = _part.AsMemory((int)(Position - _begin));
        var count = (int)Math.Min(Math.Min(rest.Length, buffer.Length), length - Position);
        if (count == 0)
        {
            throw new EndOfStreamException("What is read was deleted meanwhile.");
        }

        rest[..count].CopyTo(buffer);
        Position += count;
        return count;
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override long Seek(long offset, SeekOrigin origin) => Position = origin switch
    {
        SeekOrigin.Begin => offset,
        SeekOrigin.Current => Position + offset,
        _ => length + offset,
    };

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override void Flush()
    {
        // Nothing is written.
    }

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
