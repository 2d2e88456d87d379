using System.Globalization;

namespace NetAutomation.Bench;

/// <summary>
/// What the processes in a control group of their own, and all they start, use of the CPU: daemons and children that nobody waits for
/// count too. Needs root. Control groups of version 1 (cpuacct) or 2 (cpu.stat).
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

    /// <summary>A file that takes the pid of a process to count.</summary>
    public string Members => $"{_folder}/cgroup.procs";

    public double Seconds => _old
        ? long.Parse(File.ReadAllText($"{_folder}/cpuacct.usage"), CultureInfo.InvariantCulture) / 1e9
        : long.Parse(
            File.ReadLines($"{_folder}/cpu.stat").First(line => line.StartsWith("usage_usec ", StringComparison.Ordinal)).Split(' ')[1],
            CultureInfo.InvariantCulture) / 1e6;

    /// <summary>Counts this process and those it has started from now on.</summary>
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
                // It has ended.
            }

            foreach (var child in children[pid])
            {
                left.Enqueue(child);
            }
        }
    }

    public void Dispose()
    {
        // The members go back to where the others are.
        foreach (var pid in File.ReadAllLines(Members))
        {
            try
            {
                File.WriteAllText($"{Path.GetDirectoryName(_folder)}/cgroup.procs", pid);
            }
            catch (IOException)
            {
                // It has ended.
            }
        }

        Directory.Delete(_folder);
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
