using System.Text.Json;
using System.Threading.Channels;
using NetAutomation.Runs;

namespace NetAutomation.Execution;

/// <summary>
/// Events of one run on their way to the database: in memory while it keeps up, in a file while it does not, so that a run goes on
/// through an outage. One writer, one reader.
/// </summary>
internal sealed class EventSpool(string path) : IDisposable
{
    private const int MemoryLimit = 1 << 20;
    private const int FileLimit = 64 << 20;
    private const int BatchLimit = 256;
    private const int ReportLimit = 32 << 20;
    private readonly Lock _gate = new();
    private readonly Queue<RunEvent> _memory = new();

    // Reports and their content (artifacts, a result) stay here, up to a limit, and the line "null" stands for each in the file.
    private readonly Queue<RunEvent> _reports = new();

    // Each holds one signal at most. A signal without a waiting task costs one needless look.
    private readonly Channel<bool> _added = Channel.CreateBounded<bool>(1);
    private readonly Channel<bool> _drained = Channel.CreateBounded<bool>(1);
    private FileStream? _file;
    private StreamReader? _reader;
    private long _size;
    private long _reportSize;
    private int _spooled;
    private bool _complete;

    /// <summary>Waits while the file is full, or so are the reports: then the run waits, too.</summary>
    public async Task Add(RunEvent runEvent)
    {
        while (IsFull())
        {
            await _drained.Reader.ReadAsync();
        }

        lock (_gate)
        {
            _reportSize += Size(runEvent.Report);
            if (_spooled == 0 && (_memory.Count == 0 || _size + runEvent.Data.Length <= MemoryLimit))
            {
                _memory.Enqueue(runEvent);
                _size += runEvent.Data.Length;
            }
            else
            {
                Spill(runEvent);
            }

            _added.Writer.TryWrite(true);
        }
    }

    /// <summary>Nothing more will be added.</summary>
    public void Complete()
    {
        lock (_gate)
        {
            _complete = true;
            _added.Writer.TryWrite(true);
        }
    }

    /// <summary>The next events in order, as many as there are up to a batch; empty after the last.</summary>
    public async Task<IReadOnlyList<RunEvent>> Next()
    {
        while (true)
        {
            lock (_gate)
            {
                var (batch, size) = (new List<RunEvent>(), 0L);
                while (batch.Count < BatchLimit && size < ReportLimit && Take() is { } runEvent)
                {
                    batch.Add(runEvent);
                    size += Size(runEvent.Report);
                }

                if (size > 0)
                {
                    _reportSize -= size;
                    _drained.Writer.TryWrite(true);
                }

                if (batch.Count > 0 || _complete)
                {
                    return batch;
                }
            }

            await _added.Reader.ReadAsync();
        }
    }

    public void Dispose()
    {
        _reader?.Dispose();
        _file?.Dispose();
    }

    private bool IsFull()
    {
        lock (_gate)
        {
            return _file?.Length >= FileLimit || _reportSize >= ReportLimit;
        }
    }

    private static long Size(DeviceReport? report) => report is null ? 0
        : report.Artifacts.Sum(file => (long)file.Content.Length) + (report.ResultJson?.Length ?? 0) + (report.Diff?.Length ?? 0)
            + (report.Texts?.Size ?? 0);

    private void Spill(RunEvent runEvent)
    {
        _file ??= new FileStream(path, new FileStreamOptions
        {
            Mode = FileMode.Create, Access = FileAccess.Write, Share = FileShare.Read | FileShare.Delete,
            Options = FileOptions.DeleteOnClose,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        });
        if (runEvent.Report is not null)
        {
            _reports.Enqueue(runEvent);
        }

        JsonSerializer.Serialize(_file, runEvent.Report is null ? runEvent : null);
        _file.WriteByte((byte)'\n');
        _spooled++;
    }

    private RunEvent? Take()
    {
        if (_memory.TryDequeue(out var runEvent))
        {
            _size -= runEvent.Data.Length;
            return runEvent;
        }

        if (_spooled == 0)
        {
            return null;
        }

        _file!.Flush();
        _reader ??= new StreamReader(
            path, new FileStreamOptions { Access = FileAccess.Read, Share = FileShare.ReadWrite | FileShare.Delete });
        runEvent = JsonSerializer.Deserialize<RunEvent>(_reader.ReadLine()!) ?? _reports.Dequeue();
        if (--_spooled == 0)
        {
            Dispose();
            (_reader, _file) = (null, null);
            _drained.Writer.TryWrite(true);
        }

        return runEvent;
    }
}
