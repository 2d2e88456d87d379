using System.Diagnostics;
using System.Text;
using System.Text.Json;

namespace NetAutomation.Execution.Sandbox;

/// <summary>The processes of one sandbox, from the launcher's shell to the last one inside its process namespace.</summary>
internal sealed class SandboxProcess : IAsyncDisposable
{
    private const int LineLimit = 1 << 20;
    private const int DiagnosticsLimit = 16 * 1024;
    private static readonly TimeSpan _deathLimit = TimeSpan.FromSeconds(15);
    private readonly Process _process;
    private readonly string _infoPath;
    private readonly TimeProvider _time;
    private readonly StringBuilder _diagnostics = new();
    private readonly Task _drained;

    private SandboxProcess(Process process, string infoPath, TimeProvider time)
    {
        _process = process;
        _infoPath = infoPath;
        _time = time;
        _drained = Task.Run(DrainDiagnostics);
    }

    /// <summary>The end of what the programs inside printed; not scrubbed.</summary>
    public string Diagnostics
    {
        get
        {
            lock (_diagnostics)
            {
                return _diagnostics.ToString();
            }
        }
    }

    public static SandboxProcess Start(ProcessStartInfo start, string infoPath, TimeProvider time) =>
        new(Process.Start(start) ?? throw new InvalidOperationException("The sandbox's shell did not start."), infoPath, time);

    public bool HasExited => _process.HasExited;

    /// <summary>Gives it its job.</summary>
    public async Task Give(ReadOnlyMemory<byte> firstLine)
    {
        try
        {
            await _process.StandardInput.BaseStream.WriteAsync(firstLine);
            await _process.StandardInput.BaseStream.FlushAsync();
        }
        catch (IOException)
        {
            // It is gone already; its exit and its diagnostics say why.
        }
    }

    public IAsyncEnumerable<byte[]?> Lines() => LineReader.Read(_process.StandardOutput.BaseStream, LineLimit);

    public async Task AskToStop()
    {
        try
        {
            await _process.StandardInput.BaseStream.WriteAsync("stop\n"u8.ToArray());
            await _process.StandardInput.BaseStream.FlushAsync();
        }
        catch (Exception fault) when (fault is IOException or ObjectDisposedException or InvalidOperationException)
        {
            // Nobody is left to be asked.
        }
    }

    /// <summary>Kills the shell; bubblewrap dies with its parent and the kernel ends the whole process namespace.</summary>
    public void Kill()
    {
        try
        {
            _process.Kill();
            // A bubblewrap that had not yet tied itself to its parent ends with its first program, and that with its stdin.
            _process.StandardInput.Close();
        }
        catch (Exception fault) when (fault is IOException or InvalidOperationException)
        {
            // Gone already.
        }
    }

    /// <summary>
    /// True once nothing is left. The namespace's first process is reaped, or becomes a zombie, only after the kernel has
    /// ended every other process in it (pid_namespaces(7)).
    /// </summary>
    public async Task<bool> Gone()
    {
        var started = _time.GetTimestamp();
        using var limit = new CancellationTokenSource(_deathLimit);
        try
        {
            await _process.WaitForExitAsync(limit.Token);
            await _drained.WaitAsync(limit.Token);
            while (IsAlive(InitPid()) && _time.GetElapsedTime(started) < _deathLimit)
            {
                await Task.Delay(20, limit.Token);
            }

            return !IsAlive(InitPid());
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    public async ValueTask DisposeAsync()
    {
        Kill();
        await Gone();
        _process.Dispose();
    }

    private static bool IsAlive(int? pid)
    {
        try
        {
            // "pid (name) S …": the name is bwrap's own, so a pid that was given to another program does not match.
            return pid is { } known && File.ReadAllText($"/proc/{known}/stat") is var stat
                && stat.Contains("(bwrap)", StringComparison.Ordinal) && !stat.Contains(") Z", StringComparison.Ordinal)
                    && !stat.Contains(") X", StringComparison.Ordinal);
        }
        catch (IOException)
        {
            return false;
        }
    }

    private int? InitPid()
    {
        try
        {
            return JsonDocument.Parse(File.ReadAllBytes(_infoPath)).RootElement.GetProperty("child-pid").GetInt32();
        }
        catch (Exception fault) when (fault is IOException or JsonException)
        {
            return null;
        }
    }

    private async Task DrainDiagnostics()
    {
        var buffer = new char[4096];
        int read;
        while ((read = await _process.StandardError.ReadAsync(buffer)) > 0)
        {
            lock (_diagnostics)
            {
                _diagnostics.Append(buffer, 0, read);
                if (_diagnostics.Length > DiagnosticsLimit)
                {
                    _diagnostics.Remove(0, _diagnostics.Length - DiagnosticsLimit);
                }
            }
        }
    }
}
