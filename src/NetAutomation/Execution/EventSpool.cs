using System.Text.Json;
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
    private readonly Lock _gate = new();
    private readonly Queue<RunEvent> _memory = new();

    // What a report holds (artifacts, a result) is bounded by the number of devices; it stays here, and its line in the file says where.
    private readonly Queue<RunEvent> _reports = new();
    private TaskCompletionSource _news = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private FileStream? _file;
    private StreamReader? _reader;
    private TaskCompletionSource _drained = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _size;
    private int _spooled;
    private bool _complete;

    /// <summary>Waits where the file is full: then the run does, too.</summary>
    public async Task Add(RunEvent happened)
    {
        while (IsFull(out var drained))
        {
            await drained;
        }

        lock (_gate)
        {
            if (_spooled == 0 && (_memory.Count == 0 || _size + happened.Data.Length <= MemoryLimit))
            {
                _memory.Enqueue(happened);
                _size += happened.Data.Length;
            }
            else
            {
                Spill(happened);
            }

            _news.TrySetResult();
        }
    }

    /// <summary>Nothing more will be added.</summary>
    public void Complete()
    {
        lock (_gate)
        {
            _complete = true;
            _news.TrySetResult();
        }
    }

    /// <summary>The next events in order, as many as there are up to a batch; empty after the last.</summary>
    public async Task<IReadOnlyList<RunEvent>> Next()
    {
        while (true)
        {
            Task news;
            lock (_gate)
            {
                var batch = new List<RunEvent>();
                while (batch.Count < BatchLimit && Take() is { } happened)
                {
                    batch.Add(happened);
                }

                if (batch.Count > 0 || _complete)
                {
                    return batch;
                }

                if (_news.Task.IsCompleted)
                {
                    _news = new(TaskCreationOptions.RunContinuationsAsynchronously);
                }

                news = _news.Task;
            }

            await news;
        }
    }

    public void Dispose()
    {
        _reader?.Dispose();
        _file?.Dispose();
    }

    private bool IsFull(out Task drained)
    {
        lock (_gate)
        {
            drained = _drained.Task;
            return _file?.Length >= FileLimit;
        }
    }

    private void Spill(RunEvent happened)
    {
        _file ??= new FileStream(path, new FileStreamOptions
        {
            Mode = FileMode.Create, Access = FileAccess.Write, Share = FileShare.Read | FileShare.Delete,
            Options = FileOptions.DeleteOnClose,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        });
        if (happened.Report is not null)
        {
            _reports.Enqueue(happened);
        }

        JsonSerializer.Serialize(_file, happened.Report is null ? happened : null);
        _file.WriteByte((byte)'\n');
        _spooled++;
    }

    private RunEvent? Take()
    {
        if (_memory.TryDequeue(out var happened))
        {
            _size -= happened.Data.Length;
            return happened;
        }

        if (_spooled == 0)
        {
            return null;
        }

        _file!.Flush();
        _reader ??= new StreamReader(
            path, new FileStreamOptions { Access = FileAccess.Read, Share = FileShare.ReadWrite | FileShare.Delete });
        happened = JsonSerializer.Deserialize<RunEvent>(_reader.ReadLine()!) ?? _reports.Dequeue();
        if (--_spooled == 0)
        {
            Dispose();
            (_reader, _file) = (null, null);
            _drained.TrySetResult();
            _drained = new(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        return happened;
    }
}
