using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;

namespace NetAutomation.Tests.Fleet;

/// <summary>A program of the product in its own process, with its output.</summary>
internal sealed class ServiceProcess : IDisposable
{
    public const int Terminate = 15;
    public const int Continue = 18;
    public const int Freeze = 19;
    private readonly Process _process;
    private readonly StringBuilder _output = new();

    public ServiceProcess(string program, IEnumerable<string> arguments, string? input = null)
    {
        _process = new Process
        {
            StartInfo = new ProcessStartInfo(program, arguments)
            {
                UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true,
            },
        };
        _process.OutputDataReceived += KeepLine;
        _process.ErrorDataReceived += KeepLine;
        _process.Start();
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
        _process.StandardInput.Write(input);
        _process.StandardInput.Close();
    }

    public int Id => _process.Id;

    public bool IsOver => _process.HasExited;

    public string Output
    {
        get
        {
            lock (_output)
            {
                return _output.ToString();
            }
        }
    }

    /// <summary>The program of this name among the built ones.</summary>
    public static string ProgramPath(string name) => Path.Combine(AppContext.BaseDirectory, name);

    public void Kill() => _process.Kill();

    public void Signal(int signal) => SendSignal(_process.Id, signal).ShouldBe(0);

    public async Task<int> Ended(TimeSpan limit)
    {
        using var deadline = new CancellationTokenSource(limit);
        try
        {
            await _process.WaitForExitAsync(deadline.Token);
        }
        catch (OperationCanceledException late)
        {
            throw new TimeoutException($"The process did not end. {Output}", late);
        }

        return _process.ExitCode;
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
            _process.WaitForExit();
        }

        _process.Dispose();
    }

    private void KeepLine(object sender, DataReceivedEventArgs line)
    {
        lock (_output)
        {
            _output.AppendLine(line.Data);
        }
    }

    [DllImport("libc", EntryPoint = "kill")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int SendSignal(int process, int signal);
}
