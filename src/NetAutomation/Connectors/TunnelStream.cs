namespace NetAutomation.Connectors;

/// <summary>
/// A TCP stream to a device. <see cref="CompleteWrites"/> is the FIN of this side; a read of 0 is the device's. A reset of either
/// side is an IOException at the other, never an end. Disposing before both sides have ended resets the device's connection.
/// </summary>
internal abstract class TunnelStream(DeviceDial dial) : Stream
{
    private const int ServiceEnded = 1;
    private const int DeviceEnded = 2;
    private const int BothEnded = ServiceEnded | DeviceEnded;
    private const int WasReset = 4;
    private const string Reset = "The stream to the device was reset.";
    private readonly TaskCompletionSource _finished = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _ended;

    public DeviceDial Dial => dial;

    /// <summary>Both sides have ended, or the stream was reset. The request must not return before.</summary>
    public Task Finished => _finished.Task;

    public bool IsReset => (_ended & WasReset) != 0;

    protected abstract Stream FromDevice { get; }

    protected abstract Stream ToDevice { get; }

    /// <summary>The other end is gone, although reading and writing may not have said so yet.</summary>
    protected virtual bool IsLost => false;

    public override bool CanRead => true;

    public override bool CanWrite => true;

    public override bool CanSeek => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public async Task CompleteWrites()
    {
        ThrowIfReset();
        await EndWrites();
        Ended(ServiceEnded);
    }

    public void Abort()
    {
        var before = Interlocked.Or(ref _ended, WasReset);
        if (before is BothEnded || (before & WasReset) != 0)
        {
            return;
        }

        try
        {
            SendReset();
        }
        finally
        {
            // Not before the reset: a request that returns first ends its stream as if it were complete.
            _finished.TrySetResult();
        }
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if ((_ended & DeviceEnded) != 0)
        {
            return 0;
        }

        ThrowIfReset();
        try
        {
            var read = await FromDevice.ReadAsync(buffer, cancellationToken);
            if (read == 0 && buffer.Length > 0)
            {
                Ended(DeviceEnded);
            }

            return read;
        }
        catch (Exception e) when (MeansReset(e, cancellationToken))
        {
            Abort();
            throw new IOException(Reset, e);
        }
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        ThrowIfReset();
        try
        {
            await ToDevice.WriteAsync(buffer, cancellationToken);
            await ToDevice.FlushAsync(cancellationToken);
        }
        catch (Exception e) when (MeansReset(e, cancellationToken))
        {
            Abort();
            throw new IOException(Reset, e);
        }

        ThrowIfReset();
    }

    public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public override void Flush()
    {
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    protected abstract Task EndWrites();

    protected abstract void SendReset();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            Abort();
        }

        base.Dispose(disposing);
    }

    // Kestrel silently discards writes to a stream that was reset.
    private void ThrowIfReset()
    {
        if ((_ended & WasReset) != 0 || IsLost)
        {
            throw new IOException(Reset);
        }
    }

    // A read or write whose request has ended fails in many ways; a cancellation by the caller is none of them.
    private static bool MeansReset(Exception e, CancellationToken cancel) =>
        e is IOException or ObjectDisposedException or InvalidOperationException or HttpRequestException
        || (e is OperationCanceledException && !cancel.IsCancellationRequested);

    private void Ended(int side)
    {
        if ((Interlocked.Or(ref _ended, side) | side) == BothEnded)
        {
            _finished.TrySetResult();
        }
    }
}
