using System.Diagnostics;

namespace NetAutomation.Execution.Sandbox;

/// <summary>Whether sandboxes can be made on this host. Asked at start: a worker that cannot isolate must not run.</summary>
internal static class SandboxProbe
{
    // asyncssh is looked for only: it takes long to import, and few devices need it.
    private const string Imports =
        "import paramiko, ansible, importlib.util; assert importlib.util.find_spec('asyncssh'), 'package python3-asyncssh'";

    private static readonly Version _kernel = new(5, 14);

    /// <summary>The faults, in words an administrator can act on; empty if a sandbox could be made.</summary>
    public static async Task<IReadOnlyList<string>> Check(
        ExecutionOptions options, SandboxUsers users, CancellationToken cancel = default)
    {
        var faults = new List<string>();
        if (!OperatingSystem.IsLinux())
        {
            return ["Sandboxes need Linux namespaces."];
        }

        if (Environment.OSVersion.Version < _kernel)
        {
            faults.Add($"Sandboxes need Linux {_kernel} or newer, which counts the processes of each user namespace by itself.");
        }

        if (Environment.IsPrivilegedProcess && options.SandboxUid is null)
        {
            faults.Add(
                "The service runs as root: run it as a plain user, or set Execution:SandboxUid to an unprivileged user id for sandboxes.");
        }

        faults.AddRange(
            new[] { options.Bubblewrap, options.AnsiblePlaybook, options.Python, "/usr/bin/prlimit", "/usr/bin/setpriv", "/usr/bin/choom" }
            .Where(program => !File.Exists(program))
            .Select(
                program => $"{program} is missing (packages: bubblewrap ansible python3 python3-asyncssh python3-paramiko python3-seccomp "
                    + "util-linux)."));
        if (!File.Exists(Path.Combine(options.AnsibleDirectory, "sandbox", "init.py")))
        {
            faults.Add($"Execution:AnsibleDirectory ({options.AnsibleDirectory}) does not hold sandbox/init.py.");
        }

        if (faults.Count > 0)
        {
            return faults;
        }

        try
        {
            using var place = new SandboxPlace(options, users.Take(), "check-" + Guid.CreateVersion7().ToString("N"), devices: 1);
            var start =
                BubblewrapCommand.Build(
                    options, WriteFilter(options), place, platforms: [], devices: 1, [options.Python, "-I", "-c", Imports]);
            var (code, error) = await Task.Run(() => Run(start), cancel);
            if (code != 0)
            {
                faults.Add(Explain(error));
            }
        }
        catch (Exception fault) when (fault is IOException or InvalidOperationException or UnauthorizedAccessException)
        {
            faults.Add(fault.Message);
        }

        return faults;
    }

    /// <summary>Executes a sandbox's command, which needs no input and says little.</summary>
    public static (int Code, string Error) Run(ProcessStartInfo start)
    {
        using var process = Process.Start(start)!;
        process.StandardInput.Close();
        var error = process.StandardError.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, error.Trim());
    }

    /// <summary>Writes the system-call filter into the work directory and returns its path.</summary>
    public static string WriteFilter(ExecutionOptions options)
    {
        Directory.CreateDirectory(options.WorkDirectory);
        var path = Path.Combine(options.WorkDirectory, "seccomp.bpf");
        var fresh = $"{path}.{Environment.ProcessId}.{Guid.NewGuid():N}";
        var start =
            new ProcessStartInfo(
                options.Python, ["-I", Path.Combine(options.AnsibleDirectory, "sandbox", "seccomp.py"), fresh])
            {
                RedirectStandardError = true, UseShellExecute = false
            };
        using var process = Process.Start(start)!;
        var error = process.StandardError.ReadToEnd();
        process.WaitForExit();
        if (process.ExitCode != 0)
        {
            throw new InvalidOperationException($"The system-call filter could not be written (package python3-seccomp): {error.Trim()}");
        }

        // Replaced in one step: another worker may be reading it.
        File.Move(fresh, path, overwrite: true);
        return path;
    }

    private static string Explain(string error)
    {
        var refused = error.Contains("namespace", StringComparison.OrdinalIgnoreCase)
            || error.Contains("uid map", StringComparison.OrdinalIgnoreCase)
            || error.Contains("Operation not permitted", StringComparison.OrdinalIgnoreCase);
        return refused
            ? "This host does not let the service make user namespaces. Allow it (sysctl kernel.unprivileged_userns_clone=1, "
                + "user.max_user_namespaces > 0, kernel.apparmor_restrict_unprivileged_userns=0), or in a container use a seccomp profile "
                + "that permits unshare, clone and mount "
                + $"(docker: --security-opt seccomp=…; Kubernetes: a Localhost profile). bubblewrap said: {error}"
            : $"A sandbox could not be made: {error}";
    }
}
