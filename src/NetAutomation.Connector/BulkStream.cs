using System.Buffers;
using System.Net.Sockets;

namespace NetAutomation.Connector;

/// <summary>
/// The socket under TLS. Bulk data arrives as HTTP/2 frames of 16 KB, and each would cost a system call and wake the service. So a full
/// frame waits for the next one, at most a millisecond. A smaller frame is sent at once, together with the waiting ones.
/// </summary>
internal sealed class BulkStream : NetworkStream
{
    private const int Full = 16 * 1024;
    private const int Limit = 6 * Full;

    // After full records are cut, the frame headers leave a rest of up to this size.
    private const int Tail = 64;
    private static readonly TimeSpan _patience = TimeSpan.FromMilliseconds(1);
    private readonly SemaphoreSlim _turn = new(1);
    private readonly Timer _late;
    private byte[]? _held;
    private int _length;

    public BulkStream(Socket socket)
        : base(socket, ownsSocket: true) =>
            _late =
                new Timer(static stream => _ = ((BulkStream)stream!).SendLate(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        await _turn.WaitAsync(cancellationToken);
        try
        {
            if (_length + buffer.Length > Limit || (_length == 0 && buffer.Length < Full))
            {
                await Send();
                await base.WriteAsync(buffer, cancellationToken);
                return;
            }

            _held ??= ArrayPool<byte>.Shared.Rent(Limit);
            buffer.CopyTo(_held.AsMemory(_length));
            _length += buffer.Length;
            if (buffer.Length is > Tail and < Full || _length + Full > Limit)
            {
                await Send();
            }
            else if (_length == buffer.Length)
            {
                _late.Change(_patience, Timeout.InfiniteTimeSpan);
            }
        }
        finally
        {
            _turn.Release();
        }
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _late.Dispose();
        }

        base.Dispose(disposing);
    }

    // Not cancelled: earlier writes already reported these bytes as written.
    private async ValueTask Send()
    {
        if (_held is { } held)
        {
            var length = _length;
            (_held, _length) = (null, 0);
            await base.WriteAsync(held.AsMemory(0, length));
            ArrayPool<byte>.Shared.Return(held);
        }
    }

    private async Task SendLate()
    {
        await _turn.WaitAsync();
        try
        {
            await Send();
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            // The next write reports the same fault.
        }
        finally
        {
            _turn.Release();
        }
    }
}
