using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace NetAutomation.Bench;

/// <summary>A path to the devices: loopback TCP ports, one for each device, and the processes in between.</summary>
internal sealed class DevicePath(string name, int[] ports, Func<IEnumerable<int>> processes)
{
    public string Name => name;

    /// <summary>Opens a stream to a device and reads its greeting.</summary>
    public Socket Open(int device = 0)
    {
        var socket = Dial(device % (ports.Length - 1));
        try
        {
            return Devices.Fill(socket, stackalloc byte[1]) ? socket : throw new IOException($"{name} gave no stream.");
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Waits until streams can be opened.</summary>
    public async Task Ready()
    {
        var left = 300;
        for (var device = 0; device < ports.Length - 1;)
        {
            try
            {
                Open(device).Dispose();
                device++;
            }
            catch (Exception e) when (e is IOException or SocketException && left-- > 0)
            {
                await Task.Delay(100);
            }
        }
    }

    /// <summary>MB/s from the devices, or to them, over this number of parallel streams.</summary>
    public double Bulk(int order, int streams, long bytes)
    {
        var sockets = Enumerable.Range(0, streams).Select(_ => Open()).ToList();
        var each = bytes / streams;
        var failed = 0;
        var begun = Stopwatch.GetTimestamp();
        var threads = sockets.ConvertAll(socket => Devices.Spawn(() =>
        {
            socket.Send(Devices.Order(order, each));
            if (order == Devices.Receive)
            {
                Devices.SendBytes(socket, each);
            }

            if (!Devices.ReceiveBytes(socket, order == Devices.Receive ? 1 : each))
            {
                Interlocked.Increment(ref failed);
            }
        }));
        threads.ForEach(thread => thread.Join());
        var seconds = Stopwatch.GetElapsedTime(begun).TotalSeconds;
        sockets.ForEach(socket => socket.Dispose());
        return failed == 0 ? bytes / seconds / 1e6 : throw new IOException($"{name} ended a stream early.");
    }

    /// <summary>Microseconds of round trips of 64 bytes, shortest first.</summary>
    public List<double> RoundTrips(int count)
    {
        using var socket = Open();
        socket.Send(Devices.Order(Devices.Echo, 0));
        Span<byte> message = stackalloc byte[64];
        var times = new List<double>(count);
        for (var i = -count / 10; i < count; i++)
        {
            var begun = Stopwatch.GetTimestamp();
            socket.Send(message);
            if (!Devices.Fill(socket, message))
            {
                throw new IOException($"{name} ended the stream.");
            }

            if (i >= 0)
            {
                times.Add(Stopwatch.GetElapsedTime(begun).TotalMicroseconds);
            }
        }

        times.Sort();
        return times;
    }

    /// <summary>Median milliseconds from opening a stream to the greeting of the device.</summary>
    public double Greeting(int count) => MedianOpenTime(count, () => Open());

    /// <summary>Median milliseconds from opening a stream to the first byte of the answer to data sent at once.</summary>
    public double Answer(int count) => MedianOpenTime(count, () =>
    {
        var socket = Dial(ports.Length - 1);
        socket.Send(Devices.Order(Devices.Send, 1));
        return Devices.ReceiveBytes(socket, 1) ? socket : throw new IOException($"{name} gave no stream.");
    });

    /// <summary>Streams at full throughput, one half in each direction, until disposed.</summary>
    public IDisposable Busy(int streams) => new OpenStreams(Enumerable.Range(0, streams).Select(i =>
    {
        var socket = Open();
        socket.Send(Devices.Order(i % 2 == 0 ? Devices.Send : Devices.Receive, long.MaxValue));
        Devices.Spawn(() =>
        {
            if (i % 2 == 0)
            {
                Devices.ReceiveBytes(socket, long.MaxValue);
            }
            else
            {
                Devices.SendBytes(socket, long.MaxValue);
            }
        });
        return socket;
    }));

    /// <summary>Streams with full buffers, because the reader (this process or the device) reads nothing, until disposed.</summary>
    public async Task<IDisposable> Stalled(int streams)
    {
        var open = new OpenStreams(Enumerable.Range(0, streams).Select(i =>
        {
            var socket = Open();
            socket.Send(Devices.Order(i % 2 == 0 ? Devices.Send : Devices.Quiet, long.MaxValue));
            if (i % 2 != 0)
            {
                Devices.Spawn(() => Devices.SendBytes(socket, long.MaxValue));
            }

            return socket;
        }));
        // All buffers are full when no process uses the CPU any more.
        for (var quiet = 0; quiet < 3;)
        {
            var before = ProcessFigures.CpuSeconds(processes());
            await Task.Delay(200);
            quiet = ProcessFigures.CpuSeconds(processes()) - before < 0.05 ? quiet + 1 : 0;
        }

        return open;
    }

    /// <summary>CPU seconds that its processes have used.</summary>
    public double Cpu() => ProcessFigures.CpuSeconds(processes());

    /// <summary>Memory of its processes in bytes; a shared page counts in parts.</summary>
    public double Memory() => processes().Sum(ProcessFigures.Memory);

    private static double MedianOpenTime(int count, Func<Socket> open)
    {
        var times = new List<double>(count);
        for (var i = 0; i < count; i++)
        {
            var begun = Stopwatch.GetTimestamp();
            using var socket = open();
            times.Add(Stopwatch.GetElapsedTime(begun).TotalMilliseconds);
        }

        times.Sort();
        return times[count / 2];
    }

    private Socket Dial(int device)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true, ReceiveTimeout = 60_000 };
        socket.Connect(IPAddress.Loopback, ports[device]);
        return socket;
    }

    private sealed class OpenStreams(IEnumerable<Socket> sockets) : IDisposable
    {
        private readonly List<Socket> _sockets = [.. sockets];

        public void Dispose() => _sockets.ForEach(socket =>
        {
            // Reset the connection: data in flight does not matter.
            socket.LingerState = new LingerOption(true, 0);
            socket.Dispose();
        });
    }
}

/// <summary>Figures about processes from /proc.</summary>
internal static class ProcessFigures
{
    private const double TicksPerSecond = 100;

    public static double CpuSeconds(IEnumerable<int> processes) => processes.Sum(process => Stat(process) is { } stat
        ? (double.Parse(stat[11], CultureInfo.InvariantCulture) + double.Parse(stat[12], CultureInfo.InvariantCulture)) / TicksPerSecond
        : 0);

    public static double Memory(int process) => 1024 * double.Parse(
        File.ReadLines($"/proc/{process}/smaps_rollup").First(line => line.StartsWith("Pss:", StringComparison.Ordinal))
            .Split(' ', StringSplitOptions.RemoveEmptyEntries)[1],
        CultureInfo.InvariantCulture);

    /// <summary>The process and all its descendants.</summary>
    public static IEnumerable<int> Tree(int root)
    {
        var parents = Directory.EnumerateDirectories("/proc").Select(Path.GetFileName).Where(name => char.IsAsciiDigit(name![0]))
            .Select(name => int.Parse(name!, CultureInfo.InvariantCulture))
            .Select(process => (Process: process, Parent: Stat(process) is { } stat ? int.Parse(stat[1], CultureInfo.InvariantCulture) : 0))
                .ToLookup(each => each.Parent, each => each.Process);
        return Below(root);

        IEnumerable<int> Below(int process) => parents[process].SelectMany(Below).Prepend(process);
    }

    // The process name in brackets may contain any character.
    private static string[]? Stat(int process)
    {
        try
        {
            return File.ReadAllText($"/proc/{process}/stat") is var text ? text[(text.LastIndexOf(')') + 2)..].Split(' ') : null;
        }
        catch (IOException)
        {
            return null;
        }
    }
}
