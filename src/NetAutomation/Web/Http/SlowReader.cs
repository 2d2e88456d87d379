namespace NetAutomation.Web.Http;

/// <summary>Sends to a reader that may have stopped to read, and does not wait for it for ever.</summary>
internal static class SlowReader
{
    private const int Chunk = 16 * 1024;

    // A reader that takes no chunk in this time is gone.
    private static readonly TimeSpan _stalled = TimeSpan.FromSeconds(60);

    /// <summary>False where the reader takes no more. The write that did not end then ends with the connection.</summary>
    public static async Task<bool> Send(Stream body, ReadOnlyMemory<byte> bytes, TimeProvider clock, CancellationToken cancel)
    {
        for (; bytes.Length > 0; bytes = bytes[Math.Min(Chunk, bytes.Length)..])
        {
            var write = body.WriteAsync(bytes[..Math.Min(Chunk, bytes.Length)], cancel).AsTask();
            try
            {
                await write.WaitAsync(_stalled, clock, cancel);
            }
            catch (TimeoutException)
            {
                return false;
            }
        }

        return true;
    }
}
