using System.Diagnostics;
using System.Runtime.InteropServices;

namespace NetAutomation.Tests.Connectors;

/// <summary>The connector's program. NETAUTOMATION_CONNECTOR names another build of it, such as the published one.</summary>
internal static class ConnectorProcess
{
    private const int Sigterm = 15;

    public static string Program { get; } = Environment.GetEnvironmentVariable("NETAUTOMATION_CONNECTOR")
        ?? Path.Combine(AppContext.BaseDirectory, "netautomation-connector");

    public static Process Start(string? input, params string[] arguments) => StartProgram(Program, input, arguments);

    public static Process StartProgram(string program, string? input, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            UseShellExecute = false,
            RedirectStandardError = true,
            RedirectStandardOutput = true,
            RedirectStandardInput = true,
        };
        var process = Process.Start(start)!;
        process.StandardInput.Write(input);
        process.StandardInput.Close();
        return process;
    }

    public static async Task<(int Exit, string Output)> Finish(Process process, int seconds = 60)
    {
        using (process)
        {
            using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(seconds));
            var texts =
                await Task.WhenAll(
                    process.StandardOutput.ReadToEndAsync(deadline.Token), process.StandardError.ReadToEndAsync(deadline.Token));
            await process.WaitForExitAsync(deadline.Token);
            return (process.ExitCode, string.Concat(texts));
        }
    }

    public static void Terminate(Process process) => Kill(process.Id, Sigterm).ShouldBe(0);

    [DllImport("libc", EntryPoint = "kill")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Kill(int process, int signal);
}
