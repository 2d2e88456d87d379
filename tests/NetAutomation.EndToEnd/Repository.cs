using System.Diagnostics;
using System.Globalization;

namespace NetAutomation.EndToEnd;

/// <summary>Runs the scripts of the repository as a user would.</summary>
internal static class Repository
{
    private static readonly TimeSpan _cleanUp = TimeSpan.FromMinutes(2);

    /// <summary>Its folder.</summary>
    public static string Root { get; } = Find();

    public static async Task<(int Code, string Output, string Error)> Run(
        TimeSpan limit, IReadOnlyDictionary<string, string> environment, string script, params string[] arguments)
    {
        var start =
            new ProcessStartInfo(
                Path.Combine(Root, script), arguments)
            {
                UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true
            };
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        using var deadline = new CancellationTokenSource(limit);
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync(deadline.Token);
        var error = process.StandardError.ReadToEndAsync(deadline.Token);
        try
        {
            await process.WaitForExitAsync(deadline.Token);
            return (process.ExitCode, await output, await error);
        }
        catch (OperationCanceledException late)
        {
            // On SIGTERM a script removes what it created.
            using var ask = Process.Start("kill", ["-TERM", process.Id.ToString(CultureInfo.InvariantCulture)]);
            using var patience = new CancellationTokenSource(_cleanUp);
            await process.WaitForExitAsync(patience.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"{script} took longer than {limit}.", late);
        }
    }

    /// <summary>Copies a folder's files that are chosen by their path in it.</summary>
    public static void Copy(string from, string to, Func<string, bool> chosen)
    {
        var folder = Path.Combine(Root, from);
        foreach (var file in Directory.GetFiles(folder, "*", SearchOption.AllDirectories))
        {
            var path = Path.GetRelativePath(folder, file);
            if (chosen(path))
            {
                Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(to, path))!);
                File.Copy(file, Path.Combine(to, path));
            }
        }
    }

    private static string Find()
    {
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "NetAutomation.sln")))
        {
            folder = Path.GetDirectoryName(folder) ?? throw new InvalidOperationException("Not inside the repository.");
        }

        return folder;
    }
}
