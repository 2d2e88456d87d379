namespace NetAutomation.Execution.Sandbox;

/// <summary>What one sandbox may use of its host; docs/decisions/0006-sandbox.md says why. Sizes are in bytes.</summary>
internal static class SandboxLimits
{
    /// <summary>Of each process.</summary>
    public const int Descriptors = 512;

    /// <summary>Of each file, in a directory or in memory.</summary>
    public const int File = 128 << 20;

    /// <summary>That wait until they are taken.</summary>
    public const int Signals = 1024;

    public const int Temporary = 128 << 20;

    public const int Home = 64 << 20;

    public const int SharedMemory = 16 << 20;

    // Two processes and two or three threads stand for a device; the engine's own come to a few dozen.
    private const int Processes = 96;
    private const int DeviceProcesses = 6;
    private const long Memory = 768 << 20;
    private const long DeviceMemory = 32 << 20;

    /// <summary>Processes and threads of a sandbox for so many devices.</summary>
    public static int ProcessesFor(int devices) => Processes + (devices * DeviceProcesses);

    /// <summary>Memory of a sandbox for so many devices, files in memory included. No more than its share of the host's.</summary>
    public static long MemoryFor(ExecutionOptions options, int devices) => Math.Min(
        Memory + (devices * DeviceMemory), Math.Max(Memory, GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / options.Concurrency));
}
