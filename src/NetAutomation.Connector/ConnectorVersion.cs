namespace NetAutomation.Connector;

internal static class ConnectorVersion
{
    public static string Text { get; } = typeof(ConnectorVersion).Assembly.GetName().Version?.ToString(3) ?? "0.0.0";
}
