using System.Globalization;

namespace NetAutomation.Connector;

/// <summary>Plain one-line text for journald and humans; control characters never reach the terminal.</summary>
internal sealed class ConnectorLog(TextWriter writer, TimeProvider time)
{
    private readonly Lock _lock = new();

    public void Info(string message) => Write("info", message);

    public void Warn(string message) => Write("warn", message);

    private void Write(string level, string message)
    {
        var clean = Clean(message);
        var now = time.GetUtcNow().ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);
        lock (_lock)
        {
            writer.WriteLine($"{now} {level} {clean}");
        }
    }

    public static string Clean(string message) =>
        string.Create(message.Length, message, static (span, text) =>
        {
            for (var i = 0; i < span.Length; i++)
            {
                span[i] = char.IsControl(text[i]) ? ' ' : text[i];
            }
        });
}
