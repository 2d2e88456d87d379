using System.Buffers;

namespace NetAutomation.Tunnel;

/// <summary>Copies one direction of a tunnel.</summary>
public static class StreamPump
{
    private const int BufferSize = 64 * 1024;
    private const int Busy = 16 * 1024;

    /// <summary>
    /// Copies until the source ends and flushes every piece. Waits with an empty read and rents its buffer only when
    /// bytes are there, so an idle tunnel holds none; a busy source is read straight away.
    /// </summary>
    /// <param name="beforeWrite">Called before every piece is written; an exception ends the copy.</param>
    public static async Task<long> Copy(Stream source, Stream target, CancellationToken cancel, Action? beforeWrite = null)
    {
        long total = 0;
        var last = 0;
        while (true)
        {
            if (last < Busy)
            {
                _ = await source.ReadAsync(Memory<byte>.Empty, cancel);
            }

            var buffer = ArrayPool<byte>.Shared.Rent(BufferSize);
            try
            {
                last = await source.ReadAsync(buffer, cancel);
                if (last == 0)
                {
                    return total;
                }

                beforeWrite?.Invoke();
                await target.WriteAsync(buffer.AsMemory(0, last), cancel);
                await target.FlushAsync(cancel);
                total += last;
            }
            finally
            {
                ArrayPool<byte>.Shared.Return(buffer);
            }
        }
    }
}
