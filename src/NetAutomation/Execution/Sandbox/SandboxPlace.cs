using System.ComponentModel;
using System.Runtime.InteropServices;

namespace NetAutomation.Execution.Sandbox;

/// <summary>
/// What one live sandbox has of the host: its control groups, and a directory with the link's socket and its first pid, nothing secret.
/// </summary>
internal sealed class SandboxPlace : IDisposable
{
    private readonly string _directory;
    private string? _name;

    /// <param name="devices">For the limits of the groups.</param>
    /// <exception cref="IOException">The host has no room.</exception>
    public SandboxPlace(ExecutionOptions options, string id, int devices)
    {
        _directory = Path.Combine(options.WorkDirectory, id);
        Prepare(options.WorkDirectory, (UnixFileMode)0b111_001_001);
        Delete(_directory);
        Prepare(_directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        Directory.CreateDirectory(LinkDirectory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        if (options.SandboxUid is { } uid)
        {
            Give(_directory, uid);
            Give(LinkDirectory, uid);
        }

        Group = ControlGroups.Own.Make(options, devices);
    }

    public SandboxGroup Group { get; }

    public string LinkDirectory => Path.Combine(_directory, "link");

    public string SocketPath => Path.Combine(LinkDirectory, "sock");

    public string InfoPath => Path.Combine(_directory, "info.json");

    /// <summary>A spare's place is found under its job's id, too. It keeps its path, as bubblewrap may be about to mount it.</summary>
    public void Name(string id)
    {
        var name = Path.Combine(Path.GetDirectoryName(_directory)!, id);
        Delete(name);
        Directory.CreateSymbolicLink(name, _directory);
        _name = name;
    }

    public void Dispose()
    {
        if (_name is { } name)
        {
            Delete(name);
        }

        Delete(_directory);
        Group.Dispose();
    }

    // A directory left by a killed worker is dead: its sandbox went with the worker's end of the pipes.
    private static void Delete(string directory)
    {
        try
        {
            Directory.Delete(directory, recursive: true);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            // Nothing was left, or it will be taken away when the id is used again; nothing secret is in it.
        }
    }

    private static void Prepare(string path, UnixFileMode mode)
    {
        if (!Directory.Exists(path))
        {
            Directory.CreateDirectory(path, mode);
            // The process's umask may have taken bits away.
            File.SetUnixFileMode(path, mode);
        }
    }

    private static void Give(string path, int uid)
    {
        if (Chown(path, uid, uid) != 0)
        {
            throw new IOException($"Cannot give {path} to the sandbox's user.", new Win32Exception(Marshal.GetLastPInvokeError()));
        }
    }

    [DllImport("libc", EntryPoint = "chown", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Chown([MarshalAs(UnmanagedType.LPUTF8Str)] string path, int owner, int group);
}
