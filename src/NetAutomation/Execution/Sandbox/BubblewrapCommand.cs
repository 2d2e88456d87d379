using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace NetAutomation.Execution.Sandbox;

/// <summary>The command line of a sandbox. It holds paths and limits only; secrets go through stdin.</summary>
internal static class BubblewrapCommand
{
    /// <summary>The directory of the platforms inside the sandbox.</summary>
    private const string Content = "/run/content";
    private const int InnerUid = 1000;

    // The shell opens the descriptors bubblewrap wants and stays its parent: "die with parent" follows the thread that
    // forked, and a thread of the runtime's pool may end at any time. The pipes of the job and of the events go in as 6 and 7, which
    // bubblewrap's own process inside closes.
    private const string Shell = "exec 9<\"$1\" 8>\"$2\" 7>&1 6<&0 </dev/null >&2; shift 2; \"$@\"; exit $?";

    /// <summary>The program that waits for a job or a probe on its stdin.</summary>
    public static string[] Init(ExecutionOptions options) => [options.Python, "-I", "/opt/ansible/sandbox/init.py"];

    /// <summary>The same with Ansible and the modules of these platforms imported.</summary>
    public static string[] Warm(ExecutionOptions options, IEnumerable<string> platforms) =>
        [.. Init(options), "--warm", .. platforms.Select(Inside)];

    /// <summary>The path of a platform's folder inside the sandbox.</summary>
    public static string Inside(string directory) => $"{Content}/{Path.GetFileName(directory)}";

    public static ProcessStartInfo Build(
        ExecutionOptions options, string filterPath, string infoPath, string linkDirectory, IEnumerable<string> platforms,
        IReadOnlyList<string> program)
    {
        string[] arguments =
        [
            "-c", Shell, "sandbox", filterPath, infoPath,
            .. RunAs(options.SandboxUid),
            "choom", "-n", "500", "--",
            "prlimit", "--nproc=4096", "--nofile=4096", "--core=0", "--fsize=268435456", "--cpu=7200", "--memlock=65536", "--",
            options.Bubblewrap,
            "--unshare-user", "--uid", Number(InnerUid), "--gid", Number(InnerUid),
            "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try", "--disable-userns",
            "--hostname", "run", "--die-with-parent", "--new-session", "--clearenv", "--cap-drop", "ALL", "--seccomp", "9", "--info-fd",
            "8",
            "--ro-bind", "/usr", "/usr", "--symlink", "usr/bin", "/bin", "--symlink", "usr/sbin", "/sbin", "--symlink", "usr/lib", "/lib",
            "--symlink", "usr/lib64", "/lib64",
            "--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache", "--ro-bind-try", "/etc/alternatives", "/etc/alternatives",
            .. Etc(options, "passwd"), .. Etc(options, "group"), .. Etc(options, "hosts"),
            "--proc", "/proc", "--dev", "/dev",
#pragma warning disable S5443 // This /tmp is the sandbox's own.
            "--size", Number(128 << 20), "--tmpfs", "/tmp", "--size", Number(64 << 20), "--tmpfs", "/home", "--dir", "/home/run", "--dir",
            "/run",
#pragma warning restore S5443
            "--ro-bind", options.AnsibleDirectory, "/opt/ansible",
            "--ro-bind", linkDirectory, "/run/link",
            .. platforms.SelectMany(folder => new[] { "--ro-bind", folder, Inside(folder) }),
            .. Environment(),
            "--chdir", "/home/run", "--remount-ro", "/", "--",
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

    private static string[] RunAs(int? uid) =>
        uid is { } id ? ["setpriv", "--reuid", Number(id), "--regid", Number(id), "--clear-groups", "--"] : [];

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
