using System.Net;
using System.Text;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Fleet;

/// <summary>A span as it was exported.</summary>
/// <param name="Process">The instance id of the process that created it.</param>
/// <param name="Links">Trace ids.</param>
internal sealed record ExportedSpan(string Process, string Trace, string Id, string Parent, string Name, IReadOnlyList<string> Links);

/// <summary>Receives spans by OTLP over HTTP on loopback.</summary>
internal sealed class SpanCollector : IAsyncDisposable
{
    private readonly HttpListener _http = new();
    private readonly List<ExportedSpan> _spans = [];
    private readonly Task _serving;

    public SpanCollector()
    {
        Address = $"http://127.0.0.1:{Ports.Free()}";
        _http.Prefixes.Add($"{Address}/");
        _http.Start();
        _serving = Task.Run(Serve);
    }

    public string Address { get; }

    public IReadOnlyList<ExportedSpan> Of(string trace)
    {
        lock (_spans)
        {
            return _spans.FindAll(span => span.Trace == trace);
        }
    }

    public async ValueTask DisposeAsync()
    {
        _http.Close();
        await _serving;
    }

    private async Task Serve()
    {
        while (true)
        {
            HttpListenerContext call;
            try
            {
                call = await _http.GetContextAsync();
            }
            catch (Exception closed) when (closed is HttpListenerException or ObjectDisposedException)
            {
                return;
            }

            using var body = new MemoryStream();
            await call.Request.InputStream.CopyToAsync(body);
            if (call.Request.Url!.AbsolutePath == "/v1/traces")
            {
                Take(body.ToArray());
            }

            call.Response.ContentType = "application/x-protobuf";
            call.Response.Close();
        }
    }

    // opentelemetry/proto/collector/trace/v1: the fields by their numbers.
    private void Take(byte[] request)
    {
        foreach (var resourceSpans in Fields(request).Where(field => field.Number == 1))
        {
            var parts = Fields(resourceSpans.Bytes).ToList();
            var attributes = Fields(parts.First(part => part.Number == 1).Bytes).Where(field => field.Number == 1)
                .Select(field => Fields(field.Bytes).ToList());
            var process = attributes.Where(pair => Text(pair, 1) == "service.instance.id")
                .Select(pair => Text([.. Fields(pair.First(field => field.Number == 2).Bytes)], 1)).Single();
            foreach (
                var span in parts.Where(part => part.Number == 2).SelectMany(scope => Fields(scope.Bytes)).Where(field => field.Number == 2)
                    .Select(field => Fields(field.Bytes).ToList()))
            {
                var links = span.Where(field => field.Number == 13).Select(link => Hex([.. Fields(link.Bytes)], 1));
                lock (_spans)
                {
                    _spans.Add(new ExportedSpan(process, Hex(span, 1), Hex(span, 2), Hex(span, 4), Text(span, 5), [.. links]));
                }
            }
        }
    }

    private static string Text(List<(int Number, byte[] Bytes)> fields, int number) => Encoding.UTF8.GetString(Value(fields, number));

    private static string Hex(List<(int Number, byte[] Bytes)> fields, int number) => Convert.ToHexStringLower(Value(fields, number));

    private static byte[] Value(List<(int Number, byte[] Bytes)> fields, int number) => fields.Find(field => field.Number == number).Bytes
        ?? [];

    private static IEnumerable<(int Number, byte[] Bytes)> Fields(byte[] message)
    {
        var at = 0;
        while (at < message.Length)
        {
            var key = Varint(message, ref at);
            var length = (key & 7) switch { 1 => 8, 5 => 4, 2 => (int)Varint(message, ref at), _ => 0 };
            if ((key & 7) == 0)
            {
                Varint(message, ref at);
            }

            yield return ((int)(key >> 3), message[at..(at + length)]);
            at += length;
        }
    }

    private static ulong Varint(byte[] message, ref int at)
    {
        var (value, shift) = (0UL, 0);
        do
        {
            value |= (message[at] & 0x7FUL) << shift;
            shift += 7;
        }
        while ((message[at++] & 0x80) != 0);
        return value;
    }
}
