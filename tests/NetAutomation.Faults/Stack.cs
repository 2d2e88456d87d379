using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;

namespace NetAutomation.Faults;

/// <summary>The processes of one stack.</summary>
/// <param name="tenants">How many customers it has.</param>
/// <param name="block">The folder of a further block to publish.</param>
/// <param name="guard">Devices that take changes back, in place of the imitation routers.</param>
internal sealed class Stack(
    string script, string folder, int index, string app, int devices, int tenants = 1, string block = "", bool guard = false)
{
    public string State { get; } = folder;

    /// <summary>The host's address in the network of the lab.</summary>
    public string LabFront => $"100.64.{index}.1";

    public string Front(int tenant) => $"127.67.{index}.{tenant}";

    /// <summary>The port of the first api process's customer listener, behind the load balancer.</summary>
    public int CustomerPort => 18000 + (20 * index) + 1;

    public string Data { get; private set; } = folder;

    public int DevicePort => 18000 + (20 * index) + 18;

    public string Work(string worker) => $"/run/netautomation-local/{index}/{worker}";

    public async Task StartAll()
    {
        await Run("up");
        Data = File.ReadAllText(Path.Combine(State, "stack")).Split((char[])[' ', '\n'])
            .Single(word => word.StartsWith("data=", StringComparison.Ordinal))[5..];
    }

    public Task StopAll() => Run("down");

    public Task Start(string name) => Run("start", name);

    public Task Join(int connector, int port) => Run("join", $"{connector}", port.ToString(CultureInfo.InvariantCulture));

    public void Kill(string name) => Signal(Pid(name), 9);

    public void Stop(string name) => Signal(Pid(name), 19);

    public void Continue(string name) => Signal(Pid(name), 18);

    public int Pid(string name) => int.Parse(
        name == "postgres"
            ? File.ReadLines(Path.Combine(Data, "pg/data/postmaster.pid")).First()
                : File.ReadAllText(Path.Combine(State, "pids", name)).Split(' ')[0],
        CultureInfo.InvariantCulture);

    private static void Signal(int pid, int signal)
    {
        if (SendSignal(pid, signal) != 0)
        {
            throw new InvalidOperationException($"No process {pid} to send signal {signal} to.");
        }
    }

    [DllImport("libc", EntryPoint = "kill")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int SendSignal(int pid, int signal);

    private async Task Run(params string[] arguments)
    {
        var start = new ProcessStartInfo(script, arguments)
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            Environment =
            {
                ["NETAUTOMATION_STATE"] = State,
                ["NETAUTOMATION_INDEX"] = index.ToString(CultureInfo.InvariantCulture),
                ["NETAUTOMATION_APP"] = app,
                ["NETAUTOMATION_DEVICES"] = devices.ToString(CultureInfo.InvariantCulture),
                ["NETAUTOMATION_TENANTS"] = tenants.ToString(CultureInfo.InvariantCulture),
                ["NETAUTOMATION_BLOCK"] = block,
                ["NETAUTOMATION_GUARD"] = guard ? "1" : "",
            },
        };
        using var process = Process.Start(start)!;
        await process.WaitForExitAsync();
        if (process.ExitCode != 0)
        {
            throw new InvalidOperationException($"stack {string.Join(' ', arguments)} failed; the logs are in {State}/logs.");
        }
    }
}
