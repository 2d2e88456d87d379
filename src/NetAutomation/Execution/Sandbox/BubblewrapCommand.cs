using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace NetAutomation.Execution.Sandbox;

/// <summary>The command line of a sandbox. It holds paths and limits only; secrets go through stdin.</summary>
internal static class BubblewrapCommand
{
    /// <summary>The directory of the platforms inside the sandbox.</summary>
    private const string Content = "/run/content";

    // The shell enters the sandbox's control groups, opens the descriptors bubblewrap wants and stays its parent: "die with parent"
    // follows the thread that forked, and a thread of the runtime's pool may end at any time. The pipes of the job and of the events go
    // in as 6 and 7, which bubblewrap's own process inside closes.
    private const string Shell = "exec 9<\"$1\" 8>\"$2\" 7>&1 6<&0 </dev/null >&2; shift 2; "
        + "while [ \"$1\" != -- ]; do echo 0 >\"$1\" || exit 1; shift; done; shift; \"$@\"; exit $?";

    /// <summary>The program that waits for a job or a probe on its stdin.</summary>
    public static string[] Init(ExecutionOptions options) => [options.Python, "-I", "/opt/ansible/sandbox/init.py"];

    /// <summary>The same with Ansible and the modules of these platforms imported.</summary>
    public static string[] Warm(ExecutionOptions options, IEnumerable<string> platforms) =>
        [.. Init(options), "--warm", .. platforms.Select(Inside)];

    /// <summary>The path of a platform's folder inside the sandbox.</summary>
    public static string Inside(string directory) => $"{Content}/{Path.GetFileName(directory)}";

    /// <param name="devices">How many it may get at most.</param>
    public static ProcessStartInfo Build(
        ExecutionOptions options, string filterPath, SandboxPlace place, IEnumerable<string> platforms, int devices,
        IReadOnlyList<string> program)
    {
        string[] arguments =
        [
            "-c", Shell, "sandbox", filterPath, place.InfoPath, .. place.Group.Doors, "--",
            .. place.User.Command,
            "choom", "-n", "500", "--",
            "prlimit", $"--nofile={SandboxLimits.Descriptors}", "--core=0", $"--fsize={SandboxLimits.File}", "--cpu=7200",
            "--memlock=65536", "--msgqueue=0", "--",
            options.Bubblewrap,
            "--unshare-user", "--uid", Number(SandboxUser.Inside), "--gid", Number(SandboxUser.Inside),
            "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try", "--disable-userns",
            "--hostname", "run", "--die-with-parent", "--new-session", "--clearenv", "--cap-drop", "ALL", "--seccomp", "9", "--info-fd",
            "8",
            "--ro-bind", "/usr", "/usr", "--symlink", "usr/bin", "/bin", "--symlink", "usr/sbin", "/sbin", "--symlink", "usr/lib", "/lib",
            "--symlink", "usr/lib64", "/lib64",
            "--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache", "--ro-bind-try", "/etc/alternatives", "/etc/alternatives",
            .. Etc(options, "passwd"), .. Etc(options, "group"), .. Etc(options, "hosts"),
            "--proc", "/proc", "--dev", "/dev", .. options.Warm ? NoTerminals() : [],
#pragma warning disable S5443 // This /tmp is the sandbox's own.
            .. Memory("/dev/shm", SandboxLimits.SharedMemory), .. Memory("/tmp", SandboxLimits.Temporary),
            .. Memory("/home", SandboxLimits.Home), "--dir", "/home/run", "--dir", "/run",
#pragma warning restore S5443
            "--ro-bind", options.AnsibleDirectory, "/opt/ansible",
            "--ro-bind", place.LinkDirectory, "/run/link",
            .. platforms.SelectMany(folder => new[] { "--ro-bind", folder, Inside(folder) }),
            .. Environment(),
            "--chdir", "/home/run", "--remount-ro", "/dev", "--remount-ro", "/proc", "--remount-ro", "/", "--",
            // Counted for the user namespace by itself, since it is set inside; outside they are counted for the service, too. The group's
            // own limit is met first, and can tell so.
            "/usr/bin/prlimit", $"--nproc={SandboxLimits.ProcessesFor(devices) + 16}", $"--sigpending={SandboxLimits.Signals}", "--",
            .. program,
        ];
        var start = new ProcessStartInfo("/bin/sh", arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardErrorEncoding = Encoding.UTF8,
            UseShellExecute = false,
            WorkingDirectory = "/",
        };
        start.Environment.Clear();
        start.Environment["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin";
        return start;
    }

    // They are counted for the whole host. Only the stock ansible-playbook uses them.
    private static string[] NoTerminals() => [.. Memory("/dev/pts", 4096), "--remount-ro", "/dev/pts"];

    private static string[] Memory(string path, int size) => ["--size", Number(size), "--tmpfs", path];

    private static string[] Etc(ExecutionOptions options, string name) =>
        ["--ro-bind", Path.Combine(options.AnsibleDirectory, "sandbox", name), "/etc/" + name];

    private static string[] Environment() =>
    [
        .. Set("HOME", "/home/run"), .. Set("PATH", "/usr/bin:/bin"), .. Set("LANG", "C.UTF-8"), .. Set("PYTHONDONTWRITEBYTECODE", "1"),
        .. Set("ANSIBLE_CONFIG", "/opt/ansible/ansible.cfg"), .. Set("ANSIBLE_HOME", "/opt/ansible"),
    ];

    private static string[] Set(string name, string value) => ["--setenv", name, value];

    private static string Number(int value) => value.ToString(CultureInfo.InvariantCulture);
}
