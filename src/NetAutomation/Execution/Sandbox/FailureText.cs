namespace NetAutomation.Execution.Sandbox;

/// <summary>
/// network_cli connects inside the first task, so dead hosts and wrong passwords arrive as failed tasks and only their
/// text tells them apart (ansible.netcommon network_cli.py, ansible paramiko_ssh.py).
/// </summary>
internal static class FailureText
{
    private static readonly (string Text, string Code)[] _known =
    [
        ("host key mismatch", DeviceCode.HostKeyMismatch),
        ("authenticity of host", DeviceCode.HostKeyMismatch),
        ("Failed to authenticate", DeviceCode.AuthFailed),
        ("Authentication failed", DeviceCode.AuthFailed),
        ("unable to elevate privilege", DeviceCode.AuthFailed),
        ("Unable to connect to port", DeviceCode.ConnectTimeout),
        ("unable to connect to host", DeviceCode.ConnectTimeout),
        ("Error reading SSH protocol banner", DeviceCode.ConnectTimeout),
        ("No existing session", DeviceCode.ConnectTimeout),
        ("command timeout triggered", DeviceCode.IdleTimeout),
        ("timeout value", DeviceCode.IdleTimeout),
        ("Socket is closed", DeviceCode.ConnectionClosed),
        ("Connection reset", DeviceCode.ConnectionClosed),
        ("Server connection dropped", DeviceCode.ConnectionClosed),
        ("EOFError", DeviceCode.ConnectionClosed),
        ("Internal error", DeviceCode.InternalError),
    ];

    public static string Classify(string text) =>
        Array.Find(_known, known => text.Contains(known.Text, StringComparison.OrdinalIgnoreCase)).Code ?? DeviceCode.TaskFailed;

    /// <summary>Connection faults name loopback addresses of the sandbox, which mean nothing to a customer.</summary>
    public static string Describe(string code, string text) => code switch
    {
        DeviceCode.HostKeyMismatch => "The device showed another host key than the pinned one; no credential was sent.",
        DeviceCode.AuthFailed => "The device refused the credential.",
        DeviceCode.ConnectTimeout => "The device did not answer.",
        DeviceCode.ConnectionClosed => "The device closed the connection.",
        DeviceCode.IdleTimeout => "The device stopped answering.",
        _ => text,
    };
}
