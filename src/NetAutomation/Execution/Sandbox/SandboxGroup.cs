using System.Globalization;

namespace NetAutomation.Execution.Sandbox;

/// <summary>The control groups of one sandbox: one for each hierarchy that has a controller, so one at most in version 2.</summary>
internal sealed class SandboxGroup(ExecutionOptions options, IReadOnlyList<string> directories) : IDisposable
{
    private int _processes;
    private long _memory;

    /// <summary>Where a process writes 0 to enter.</summary>
    public IEnumerable<string> Doors => directories.Select(directory => Path.Combine(directory, "cgroup.procs"));

    /// <summary>Sets the limits of a sandbox for so many devices, no more of them than before.</summary>
    public void Limit(int devices)
    {
        (_processes, _memory) = (SandboxLimits.ProcessesFor(devices), SandboxLimits.MemoryFor(options, devices));
        Set("pids.max", _processes);
        Set("memory.max", _memory);
        Set("memory.swap.max", 0);
        Set("memory.limit_in_bytes", _memory);
        // Memory and swap together. The limit above must not be greater at any time.
        Set("memory.memsw.limit_in_bytes", _memory);
        // Half of what the service has. In version 1 every thread beside the group counts by itself, so it has what as many of its own as
        // can run at once would have.
        Set("cpu.weight", 50);
        Set("cpu.shares", 1024 * Environment.ProcessorCount);
        Set("io.weight", 50);
        Set("blkio.bfq.weight", 50);
    }

    /// <summary>Which limit the programs inside have met, with its size; null where none.</summary>
    public string? Exceeded() =>
        Count("pids.events", "max") > 0 ? $"{_processes} processes and threads"
        : Count("memory.events", "oom") + Count("memory.oom_control", "oom_kill") > 0 ? $"{_memory >> 20} MiB of memory"
        : null;

    public void Dispose()
    {
        foreach (var directory in directories)
        {
            ControlGroups.Remove(directory);
        }
    }

    private void Set(string file, long value)
    {
        foreach (var path in directories.Select(directory => Path.Combine(directory, file)).Where(File.Exists))
        {
            ControlGroups.Write(path, value.ToString(CultureInfo.InvariantCulture));
        }
    }

    private long Count(string file, string key) => directories.Select(directory => Path.Combine(directory, file)).Where(File.Exists)
        .SelectMany(File.ReadLines).Select(line => line.Split(' '))
        .Where(pair => pair is [var name, _] && name == key).Sum(pair => long.Parse(pair[1], CultureInfo.InvariantCulture));
}
