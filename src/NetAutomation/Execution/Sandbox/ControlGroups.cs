using System.Collections.Frozen;
using System.Globalization;
using System.Runtime.InteropServices;

namespace NetAutomation.Execution.Sandbox;

/// <summary>
/// Where this process makes a control group for each of its sandboxes: below its own, in version 1 or 2, whichever has a controller
/// (cgroups(7)). What is not there or not permitted is not used, and <see cref="Missing"/> says so.
/// </summary>
internal sealed class ControlGroups
{
    private const string Unified = "cgroup2";

    // In version 2 a group that passes controllers on may hold no process, so the service's own stand in a leaf.
    private const string Leaf = "service";
    private const string Name = "sandbox";
    private const int KillSignal = 9;
    private static readonly TimeSpan _deathLimit = TimeSpan.FromSeconds(2);
    private static readonly string[] _all = ["pids", "memory", "cpu", "io"];

    // Version 1 has another name for io.
    private static readonly FrozenSet<string> _wanted = _all.Append("blkio").ToFrozenSet(StringComparer.Ordinal);
    private static readonly Lazy<ControlGroups> _own =
        new(() => new ControlGroups(File.ReadAllLines("/proc/self/cgroup"), File.ReadAllLines("/proc/self/mountinfo")));

    private readonly string _prefix = $"{Name}-{Environment.ProcessId}-{StartedAt(Environment.ProcessId)}-";
    private readonly List<string> _roots = [];
    private readonly List<string> _faults = [];
    private readonly HashSet<string> _controllers = new(StringComparer.Ordinal);
    private int _last;

    internal ControlGroups(string[] memberships, string[] mounts)
    {
        foreach (var mount in mounts.Select(Mount.Parse).Where(mount => mount.Type is "cgroup" or Unified))
        {
            var own = memberships.Select(line => line.Split(':', 3)).Where(own => mount.Has(own[1])).Select(own => own[2]).FirstOrDefault();
            if (own is not null && mount.Find(own) is { } directory)
            {
                Use(directory, mount);
            }
        }
    }

    /// <summary>Found at the first use; then the process moves into a leaf of its group where it must.</summary>
    public static ControlGroups Own => _own.Value;

    /// <summary>What is bounded for each sandbox by itself: some of pids, memory, cpu and io.</summary>
    public IEnumerable<string> Controllers => _controllers.Order(StringComparer.Ordinal);

    /// <summary>What is not, with the reasons that are known.</summary>
    public string? Missing()
    {
        var missing = string.Join(", ", _all.Where(each => !_controllers.Contains(each)));
        return missing.Length == 0 ? null : $"{missing} ({(_faults.Count > 0 ? string.Join(" ", _faults) : "the host has none")})";
    }

    /// <summary>Groups for one sandbox; none where there is no controller.</summary>
    /// <exception cref="IOException">The host refuses another group.</exception>
    public SandboxGroup Make(ExecutionOptions options, int devices)
    {
        var name = _prefix + Interlocked.Increment(ref _last).ToString(CultureInfo.InvariantCulture);
        var made = new List<string>();
        try
        {
            foreach (var root in _roots)
            {
                var directory = Path.Combine(root, name);
                Directory.CreateDirectory(directory);
                made.Add(directory);
            }

            var group = new SandboxGroup(options, made);
            group.Limit(devices);
            return group;
        }
        catch
        {
            made.ForEach(Remove);
            throw;
        }
    }

    /// <summary>Ends what is left in a group and takes it away. A group that outlasts this is swept by a later process.</summary>
    internal static void Remove(string group)
    {
        for (var started = Environment.TickCount64; Directory.Exists(group);)
        {
            try
            {
                Directory.Delete(group);
            }
            catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
            {
                if (!End(group) || Environment.TickCount64 - started > _deathLimit.TotalMilliseconds)
                {
                    return;
                }

                Thread.Sleep(5);
            }
        }
    }

    /// <summary>Writes to a file of a control group, which takes one write(2).</summary>
    internal static void Write(string path, string value)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
        file.Write(System.Text.Encoding.ASCII.GetBytes(value));
    }

    private void Use(string own, Mount mount)
    {
        if (mount.Type != Unified && !mount.Controllers.Any(_wanted.Contains))
        {
            return;
        }

        try
        {
            var root = mount.Type == Unified ? PassOn(own) : own;
            var trial = Path.Combine(root, _prefix + "0");
            Directory.CreateDirectory(trial);
            var controllers = mount.Type == Unified
                ? Words(Path.Combine(trial, "cgroup.controllers")) : mount.Controllers;
            Directory.Delete(trial);
            var found = controllers.Where(_wanted.Contains).Select(each => each == "blkio" ? "io" : each).ToList();
            if (found.Count > 0)
            {
                _controllers.UnionWith(found);
                _roots.Add(root);
                Sweep(root);
            }
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            _faults.Add(fault.Message);
        }
    }

    /// <summary>The group of version 2 whose children get its controllers.</summary>
    private static string PassOn(string own)
    {
        if (Path.GetFileName(own) == Leaf)
        {
            return Path.GetDirectoryName(own)!;
        }

        var controllers = Words(Path.Combine(own, "cgroup.controllers")).Where(_wanted.Contains).ToList();
        // Only the host's first group, which has no type, may hold processes beside its children.
        if (controllers.Count > 0 && File.Exists(Path.Combine(own, "cgroup.type")))
        {
            Directory.CreateDirectory(Path.Combine(own, Leaf));
            // What the service's supervisor started beside it goes with it; some may be starting just now.
            for (var tries = 0; tries < 5 && File.ReadAllLines(Path.Combine(own, "cgroup.procs")) is { Length: > 0 } processes; tries++)
            {
                foreach (var process in processes)
                {
                    Try(() => Write(Path.Combine(own, Leaf, "cgroup.procs"), process));
                }
            }
        }

        foreach (var controller in controllers)
        {
            Try(() => Write(Path.Combine(own, "cgroup.subtree_control"), "+" + controller));
        }

        return own;
    }

    private static string[] Words(string path) => File.ReadAllText(path).TrimEnd().Split(' ');

    private static void Try(Action action)
    {
        try
        {
            action();
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            // What comes of it is seen in the trial group.
        }
    }

    /// <summary>Takes away the groups of processes that are dead. Their sandboxes died with them.</summary>
    private static void Sweep(string root)
    {
        foreach (var group in Directory.GetDirectories(root, Name + "-*"))
        {
            if (Path.GetFileName(group).Split('-') is [_, var text, var started, _]
                && int.TryParse(text, CultureInfo.InvariantCulture, out var pid) && StartedAt(pid) != started)
            {
                Remove(group);
            }
        }
    }

    /// <summary>Kills every process of a group; false where that is not permitted.</summary>
    private static bool End(string group)
    {
        try
        {
            var kill = Path.Combine(group, "cgroup.kill");
            if (File.Exists(kill))
            {
                Write(kill, "1");
                return true;
            }

            foreach (var pid in File.ReadAllLines(Path.Combine(group, "cgroup.procs")))
            {
                _ = Kill(int.Parse(pid, CultureInfo.InvariantCulture), KillSignal);
            }

            return true;
        }
        catch (DirectoryNotFoundException)
        {
            return true;
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    /// <summary>When a process started, in the kernel's ticks; null where it is gone. Another one of that pid has another time.</summary>
    private static string? StartedAt(int pid)
    {
        try
        {
            // "pid (name) S …": the name may hold anything.
            return File.ReadAllText($"/proc/{pid}/stat").Split(')')[^1].Split(' ')[20];
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    [DllImport("libc", EntryPoint = "kill", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Kill(int pid, int signal);

    /// <summary>A line of /proc/self/mountinfo (proc_pid_mountinfo(5)).</summary>
    /// <param name="Root">The group that is mounted.</param>
    /// <param name="Point">Where it is mounted.</param>
    /// <param name="Controllers">Options of the mount; in version 1 the controllers of the hierarchy are among them.</param>
    private sealed record Mount(string Root, string Point, string Type, string[] Controllers)
    {
        public static Mount Parse(string line)
        {
            var halves = line.Split(" - ", 2);
            var (place, kind) = (halves[0].Split(' '), halves[1].Split(' '));
            return new Mount(place[3], place[4], kind[0], kind[2].Split(','));
        }

        /// <summary>Whether this mount shows the hierarchy of these controllers; that of version 2 names none.</summary>
        public bool Has(string controllers) => Type == Unified ? controllers.Length == 0
            : controllers.Length > 0 && controllers.Split(',').All(Controllers.Contains);

        /// <summary>The directory of a group; null where it is not below what is mounted.</summary>
        public string? Find(string group)
        {
            var inside = Root == "/" ? group : group == Root ? "" : group.StartsWith(Root + "/", StringComparison.Ordinal)
                ? group[Root.Length..] : null;
            return inside is null || inside.Contains("/..", StringComparison.Ordinal) ? null
                : Path.TrimEndingDirectorySeparator(Point + inside);
        }
    }
}
