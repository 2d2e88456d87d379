using System.Globalization;

namespace NetAutomation.Connector;

/// <summary>Plain one-line text for journald and humans; control characters never reach the terminal.</summary>
internal sealed class ConnectorLog(TextWriter writer, TimeProvider clock)
{
    private readonly Lock _lock = new();

    public void Info(string message) => Write("info", message);

    public void Warn(string message) => Write("warn", message);

    private void Write(string level, string message)
    {
        var clean = Clean(message);
        var now = clock.GetUtcNow().ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);
        lock (_lock)
        {
            writer.WriteLine($"{now} {level} {clean}");
        }
    }

    public static string Clean(string message) => new([.. message.Select(c => char.IsControl(c) ? ' ' : c)]);

    /// <summary>The message of an exception, and of the one inside it.</summary>
    public static string Explain(Exception e) => e.InnerException is { } inner ? $"{e.Message} ({inner.Message})" : e.Message;
}
