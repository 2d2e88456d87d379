using System.Globalization;
using System.Text;

namespace NetAutomation.Connector;

/// <summary>
/// The highest fence seen per device. Lines are appended and synced before a stream that raised a fence is opened; the
/// file is compacted by an atomic rename at start and when it has grown. No stream depends on a line that a crash cut short.
/// </summary>
internal sealed class FenceFile : IDisposable
{
    private const int CompactAfter = 100_000;
    private readonly string _path;
    private readonly Lock _lock = new();
    private readonly SemaphoreSlim _writing = new(1);
    private readonly Dictionary<string, long> _highest;
    private List<string> _unwritten = [];
    private FileStream _file;
    private int _lines;

    public FenceFile(string path)
    {
        _path = path;
        _highest = Load(path);
        _file = Compact();
    }

    public long Highest
    {
        get
        {
            lock (_lock)
            {
                return _highest.Count == 0 ? 0 : _highest.Values.Max();
            }
        }
    }

    public long Of(string device)
    {
        lock (_lock)
        {
            return _highest.GetValueOrDefault(device);
        }
    }

    /// <summary>Raises the fence in memory; <see cref="Flush"/> makes it durable. False where it was as high already.</summary>
    public bool Raise(string device, long fence)
    {
        if (device.Length is 0 or > 100 || !device.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-'))
        {
            throw new ArgumentException("Not a device id.", nameof(device));
        }

        lock (_lock)
        {
            if (fence <= _highest.GetValueOrDefault(device))
            {
                return false;
            }

            _highest[device] = fence;
            _unwritten.Add($"{device} {fence}\n");
            return true;
        }
    }

    /// <summary>Returns when all fences raised before the call are on disk; concurrent callers share one sync.</summary>
    public async Task Flush()
    {
        await _writing.WaitAsync();
        try
        {
            List<string> lines;
            lock (_lock)
            {
                (lines, _unwritten) = (_unwritten, []);
            }

            if (lines.Count == 0)
            {
                return;
            }

            try
            {
                await _file.WriteAsync(Encoding.UTF8.GetBytes(string.Concat(lines)));
                _file.Flush(flushToDisk: true);
                _lines += lines.Count;
                if (_lines > CompactAfter)
                {
                    await _file.DisposeAsync();
                    _file = Compact();
                }
            }
            catch
            {
                lock (_lock)
                {
                    _unwritten.InsertRange(0, lines);
                }

                throw;
            }
        }
        finally
        {
            _writing.Release();
        }
    }

    public void Dispose()
    {
        _file.Dispose();
        _writing.Dispose();
    }

    /// <summary>Reads the file; InvalidDataException where it is damaged.</summary>
    public static Dictionary<string, long> Load(string path)
    {
        var fences = new Dictionary<string, long>(StringComparer.Ordinal);
        if (!File.Exists(path))
        {
            return fences;
        }

        var text = File.ReadAllText(path);
        foreach (var line in text[..(text.LastIndexOf('\n') + 1)].Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            var space = line.IndexOf(' ', StringComparison.Ordinal);
            if (space < 1 || !long.TryParse(line.AsSpan(space + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var fence))
            {
                throw new InvalidDataException($"{path} is damaged. Restore it, or join again under a new state directory.");
            }

            fences[line[..space]] = Math.Max(fence, fences.GetValueOrDefault(line[..space]));
        }

        return fences;
    }

    private FileStream Compact()
    {
        Dictionary<string, long> all;
        lock (_lock)
        {
            all = new(_highest, StringComparer.Ordinal);
        }

        StateFiles.Replace(_path, string.Concat(all.Select(f => $"{f.Key} {f.Value}\n")));
        _lines = all.Count;
        return new FileStream(_path, FileMode.Append, FileAccess.Write, FileShare.Read, bufferSize: 0);
    }
}
