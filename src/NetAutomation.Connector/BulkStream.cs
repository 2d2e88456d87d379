using System.Buffers;
using System.Net.Sockets;

namespace NetAutomation.Connector;

/// <summary>
/// The socket under TLS. Bulk comes to it in frames of HTTP/2, 16 KB each, and each would cost a call of the kernel and a wake of the
/// service: a full one waits for what follows, and for no longer than a millisecond. What is smaller goes at once, with all before it.
/// </summary>
internal sealed class BulkStream : NetworkStream
{
    private const int Full = 16 * 1024;
    private const int Limit = 6 * Full;

    // What frame headers leave over when full records are cut.
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

    // Not to be cancelled: what is held was written before.
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
            // The next write says so too.
        }
        finally
        {
            _turn.Release();
        }
    }
}
