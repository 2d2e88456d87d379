using System.Buffers;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using System.Text.Json;

namespace NetAutomation.Tunnel;

/// <summary>Control messages as lines of JSON.</summary>
public static class ControlLines
{
    public static async Task Write(Stream stream, ControlMessage message, CancellationToken cancel)
    {
        var json = JsonSerializer.SerializeToUtf8Bytes(message, TunnelJson.Default.ControlMessage);
        await stream.WriteAsync((byte[])[.. json, (byte)'\n'], cancel);
        await stream.FlushAsync(cancel);
    }

    /// <summary>Ends with the stream. A line that is no message or is too long throws InvalidDataException.</summary>
    public static async IAsyncEnumerable<ControlMessage> Read(Stream stream, [EnumeratorCancellation] CancellationToken cancel)
    {
        var reader = PipeReader.Create(stream, new StreamPipeReaderOptions(leaveOpen: true, useZeroByteReads: true));
        try
        {
            while (true)
            {
                var result = await reader.ReadAsync(cancel);
                var rest = result.Buffer;
                while (rest.PositionOf((byte)'\n') is { } end)
                {
                    yield return Parse(rest.Slice(0, end));
                    rest = rest.Slice(rest.GetPosition(1, end));
                }

                if (rest.Length > TunnelProtocol.MaxMessageBytes)
                {
                    throw new InvalidDataException("A control message is too long.");
                }

                reader.AdvanceTo(rest.Start, rest.End);
                if (result.IsCompleted)
                {
                    yield break;
                }
            }
        }
        finally
        {
            await reader.CompleteAsync();
        }
    }

    private static ControlMessage Parse(ReadOnlySequence<byte> line)
    {
        if (line.Length > TunnelProtocol.MaxMessageBytes)
        {
            throw new InvalidDataException("A control message is too long.");
        }

        try
        {
            var json = new Utf8JsonReader(line);
            return JsonSerializer.Deserialize(ref json, TunnelJson.Default.ControlMessage)
                ?? throw new InvalidDataException("A control message is null.");
        }
        catch (Exception e) when (e is JsonException or NotSupportedException)
        {
            throw new InvalidDataException("A control message cannot be read.", e);
        }
    }
}
