using System.Buffers;
using System.IO.Pipelines;

namespace NetAutomation.Execution.Sandbox;

/// <summary>Lines of a pipe, bounded: one that is too long is passed over and reported as null.</summary>
internal static class LineReader
{
    public static async IAsyncEnumerable<byte[]?> Read(Stream stream, int limit)
    {
        var reader = PipeReader.Create(stream, new StreamPipeReaderOptions(bufferSize: 64 * 1024, leaveOpen: true));
        var skipping = false;
        while (true)
        {
            var read = await reader.ReadAsync();
            var buffer = read.Buffer;
            while (buffer.PositionOf((byte)'\n') is { } end)
            {
                var line = buffer.Slice(0, end);
                yield return skipping || line.Length > limit ? null : line.ToArray();
                skipping = false;
                buffer = buffer.Slice(buffer.GetPosition(1, end));
            }

            if (buffer.Length > limit)
            {
                skipping = true;
                buffer = buffer.Slice(buffer.End);
            }

            reader.AdvanceTo(buffer.Start, buffer.End);
            if (read.IsCompleted)
            {
                // A last line without its end was cut off by a kill.
                yield break;
            }
        }
    }
}
