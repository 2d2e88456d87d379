using System.Diagnostics;

namespace NetAutomation.Cli;

/// <summary>Plans the cases of blocks as the engine does, with the engine's own code, without a device.</summary>
internal static class Cases
{
    public static async Task<int> Plan(Source source, IReadOnlyList<string> folders, string? platform, CancellationToken cancel)
    {
        string[] chosen = platform is null ? [] : ["--platform", platform];
        using var process = Process.Start(new ProcessStartInfo(
            "/usr/bin/python3",
            [
                Path.Combine(AppContext.BaseDirectory, "cases.py"), "--engine", Path.Combine(source.Ansible, "engine"),
                "--platforms", source.Platforms, .. chosen, .. folders,
            ]))!;
        await process.WaitForExitAsync(cancel);
        return process.ExitCode;
    }
}
