namespace NetAutomation.Execution.Sandbox;

/// <summary>
/// What one live sandbox has of the host: its user, its control groups, and a directory with the link's socket and its first pid, nothing
/// secret.
/// </summary>
internal sealed class SandboxPlace : IDisposable
{
    // The sandbox's user passes through to the socket. Nobody lists what is there.
    private const UnixFileMode Passable = (UnixFileMode)0b111_001_001;
    private readonly string _directory;
    private string? _name;

    /// <param name="user">Belongs to the place from now on.</param>
    /// <param name="devices">For the limits of the groups.</param>
    /// <exception cref="IOException">The host has no room.</exception>
    public SandboxPlace(ExecutionOptions options, SandboxUser user, string id, int devices)
    {
        (User, _directory) = (user, Path.Combine(options.WorkDirectory, id));
        try
        {
            Prepare(options.WorkDirectory);
            Delete(_directory);
            Prepare(_directory);
            Prepare(LinkDirectory);
            Group = ControlGroups.Own.Make(options, devices);
        }
        catch
        {
            user.Dispose();
            throw;
        }
    }

    public SandboxUser User { get; }

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
        User.Dispose();
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

    private static void Prepare(string path)
    {
        if (!Directory.Exists(path))
        {
            Directory.CreateDirectory(path, Passable);
            // The process's umask may have taken bits away.
            File.SetUnixFileMode(path, Passable);
        }
    }
}
