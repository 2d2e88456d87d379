using System.Globalization;

namespace NetAutomation.Bench;

/// <summary>
/// CPU time of the processes in an own control group and of all they start, including daemons and children that nobody waits for. Needs
/// root. Control groups of version 1 (cpuacct) or 2 (cpu.stat).
/// </summary>
internal sealed class CpuAccount : IDisposable
{
    private const string Old = "/sys/fs/cgroup/cpuacct";
    private readonly string _folder;
    private readonly bool _old = Directory.Exists(Old);

    public CpuAccount(string name)
    {
        _folder = $"{(_old ? Old : "/sys/fs/cgroup")}/netautomation-bench-{Environment.ProcessId}-{name}";
        Directory.CreateDirectory(_folder);
    }

    /// <summary>The file to which the pid of a process to count is written.</summary>
    public string Members => $"{_folder}/cgroup.procs";

    public double Seconds => _old
        ? long.Parse(File.ReadAllText($"{_folder}/cpuacct.usage"), CultureInfo.InvariantCulture) / 1e9
        : long.Parse(
            File.ReadLines($"{_folder}/cpu.stat").First(line => line.StartsWith("usage_usec ", StringComparison.Ordinal)).Split(' ')[1],
            CultureInfo.InvariantCulture) / 1e6;

    /// <summary>Counts this process and its descendants from now on.</summary>
    public void Add(int root)
    {
        var children = Directory.GetDirectories("/proc")
            .Select(folder => int.TryParse(Path.GetFileName(folder), CultureInfo.InvariantCulture, out var pid) ? pid : 0)
                .Where(pid => pid > 0)
            .Select(pid => (Pid: pid, Parent: Parent(pid))).ToLookup(process => process.Parent, process => process.Pid);
        var left = new Queue<int>([root]);
        while (left.TryDequeue(out var pid))
        {
            try
            {
                File.WriteAllText(Members, pid.ToString(CultureInfo.InvariantCulture));
            }
            catch (IOException)
            {
                // The process has ended.
            }

            foreach (var child in children[pid])
            {
                left.Enqueue(child);
            }
        }
    }

    public void Dispose()
    {
        var left = 50;
        while (true)
        {
            Leave();
            try
            {
                Directory.Delete(_folder);
                return;
            }
            catch (IOException) when (left-- > 0)
            {
                // A member was forked meanwhile, or has not ended as a whole yet.
                Thread.Sleep(100);
            }
        }
    }

    /// <summary>Moves the members back to the parent group.</summary>
    private void Leave()
    {
        foreach (var pid in File.ReadAllLines(Members))
        {
            try
            {
                File.WriteAllText($"{Path.GetDirectoryName(_folder)}/cgroup.procs", pid);
            }
            catch (IOException)
            {
                // The process has ended.
            }
        }
    }

    private static int Parent(int pid)
    {
        try
        {
            var stat = File.ReadAllText($"/proc/{pid}/stat");
            return int.Parse(stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[1], CultureInfo.InvariantCulture);
        }
        catch (IOException)
        {
            return 0;
        }
    }
}
