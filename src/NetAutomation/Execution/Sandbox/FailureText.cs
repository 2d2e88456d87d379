using System.Collections.Frozen;

namespace NetAutomation.Execution.Sandbox;

/// <summary>
/// Why a device failed. Our own code inside the sandbox says so by a code. network_cli connects inside the first task, so dead hosts and
/// wrong passwords arrive as failed tasks, and only their text tells them apart (ansible.netcommon network_cli.py, ansible
/// paramiko_ssh.py).
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

    private static readonly FrozenSet<string> _codes =
        typeof(DeviceCode).GetFields().Select(field => (string)field.GetRawConstantValue()!).ToFrozenSet(StringComparer.Ordinal);

    /// <summary>The device's code and message.</summary>
    /// <param name="told">The code that came with the text, if one did. It stands, and so does the text, which is our own.</param>
    public static (string Code, string Message) Read(string text, string? told)
    {
        if (told is not null && _codes.Contains(told))
        {
            return (told, text);
        }

        var code =
            Array.Find(_known, known => text.Contains(known.Text, StringComparison.OrdinalIgnoreCase)).Code ?? DeviceCode.TaskFailed;
        return (code, Describe(code, text));
    }

    /// <summary>Connection faults name loopback addresses of the sandbox, which mean nothing to a customer.</summary>
    public static string Describe(string code, string text) => code switch
    {
        DeviceCode.HostKeyMismatch => "The device showed another host key than the pinned one; no credential was sent.",
        DeviceCode.AuthFailed => "The device refused the credential.",
        DeviceCode.ConnectTimeout => "The device did not answer.",
        DeviceCode.ConnectionClosed => "The device closed the connection.",
        DeviceCode.IdleTimeout => "The device stopped answering.",
        DeviceCode.SandboxFailed => SandboxFailedException.Advice,
        _ => text,
    };
}
