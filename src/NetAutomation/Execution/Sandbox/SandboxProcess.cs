using System.Diagnostics;
using System.Text;
using System.Text.Json;
using NetAutomation.Web;

namespace NetAutomation.Execution.Sandbox;

/// <summary>What becomes of a guarded change.</summary>
internal enum Verdict
{
    /// <summary>It may begin.</summary>
    Go,

    /// <summary>It stays.</summary>
    Confirm,

    /// <summary>It goes back, or does not begin.</summary>
    Back,
}

/// <summary>The processes of one sandbox, from the launcher's shell to the last one inside its process namespace.</summary>
internal sealed class SandboxProcess(Process process, string infoPath, TimeProvider clock) : IAsyncDisposable
{
    private const int LineLimit = 1 << 20;
    private const int DiagnosticsLimit = 16 * 1024;
    private static readonly TimeSpan _deathLimit = TimeSpan.FromSeconds(15);
    private readonly StringBuilder _diagnostics = new();
    private readonly Lock _gate = new();
    private Task _sent = Task.CompletedTask;
    private Task _drained = Task.CompletedTask;

    /// <summary>The end of the output of the programs inside; not scrubbed.</summary>
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

    public static SandboxProcess Start(ProcessStartInfo start, string infoPath, TimeProvider clock)
    {
        var started = new SandboxProcess(
            Process.Start(start) ?? throw new InvalidOperationException("The sandbox's shell did not start."), infoPath, clock);
        started._drained = Task.Run(started.DrainDiagnostics);
        return started;
    }

    public bool HasExited => process.HasExited;

    /// <summary>Gives the sandbox its job.</summary>
    public Task Give(ReadOnlyMemory<byte> firstLine) => Send(firstLine);

    public IAsyncEnumerable<byte[]?> Lines() => LineReader.Read(process.StandardOutput.BaseStream, LineLimit);

    public Task AskToStop() => Send("stop\n"u8.ToArray());

    /// <summary>What becomes of the change of a device.</summary>
    public Task Tell(Verdict verdict, string device) => Send(Encoding.ASCII.GetBytes($"{Wire.Name(verdict)} {device}\n"));

    /// <summary>Kills the shell; bubblewrap dies with its parent and the kernel ends the whole process namespace.</summary>
    public void Kill()
    {
        try
        {
            process.Kill();
            // A bubblewrap that had not yet tied itself to its parent ends with its first program, and that with its stdin.
            process.StandardInput.Close();
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
        var started = clock.GetTimestamp();
        using var limit = new CancellationTokenSource(_deathLimit);
        try
        {
            await process.WaitForExitAsync(limit.Token);
            await _drained.WaitAsync(limit.Token);
            while (IsAlive(InitPid()) && clock.GetElapsedTime(started) < _deathLimit)
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
        process.Dispose();
    }

    private Task Send(ReadOnlyMemory<byte> line)
    {
        lock (_gate)
        {
            return _sent = SendAfter(_sent, line);
        }
    }

    private async Task SendAfter(Task before, ReadOnlyMemory<byte> line)
    {
        await before;
        try
        {
            await process.StandardInput.BaseStream.WriteAsync(line);
            await process.StandardInput.BaseStream.FlushAsync();
        }
        catch (Exception fault) when (fault is IOException or ObjectDisposedException or InvalidOperationException)
        {
            // The process has ended; its exit and its diagnostics say why.
        }
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
            return JsonDocument.Parse(File.ReadAllBytes(infoPath)).RootElement.GetProperty("child-pid").GetInt32();
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
        while ((read = await process.StandardError.ReadAsync(buffer)) > 0)
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
