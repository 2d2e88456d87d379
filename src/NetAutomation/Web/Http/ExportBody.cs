using Microsoft.AspNetCore.Http.HttpResults;

namespace NetAutomation.Web.Http;

/// <summary>
/// The body of an export. A reader that stops to read, or has not read everything in time, is cut off: its connection breaks, so that no
/// client takes the part for the whole.
/// </summary>
internal sealed class ExportBody
{
    /// <summary>For which a reader may take an export.</summary>
    public static readonly TimeSpan Longest = TimeSpan.FromMinutes(15);
    private readonly Stream _body;
    private readonly TimeProvider _clock;

    private ExportBody(Stream body, TimeProvider clock, CancellationToken cancel) => (_body, _clock, Cancel) = (body, clock, cancel);

    /// <summary>Ends what is read for the export: the client has left, or its time is over.</summary>
    public CancellationToken Cancel { get; }

    public static PushStreamHttpResult Of(HttpContext http, string mediaType, string name, Func<ExportBody, Task> write)
    {
        var clock = http.RequestServices.GetRequiredService<TimeProvider>();
        return TypedResults.Stream(
            async body =>
            {
                using var time = new CancellationTokenSource(Longest, clock);
                using var ends = CancellationTokenSource.CreateLinkedTokenSource(time.Token, http.RequestAborted);
                try
                {
                    await write(new ExportBody(body, clock, ends.Token));
                }
                catch (Exception fault) when (ends.IsCancellationRequested || fault is TimeoutException)
                {
                    http.Abort();
                }
            },
            mediaType, name);
    }

    /// <exception cref="TimeoutException">The reader takes no more.</exception>
    public async Task Write(ReadOnlyMemory<byte> bytes)
    {
        if (!await SlowReader.Send(_body, bytes, _clock, Cancel))
        {
            throw new TimeoutException("The reader of an export takes no more.");
        }
    }
}
