using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace NetAutomation.Bench;

/// <summary>One way to the devices: TCP ports of loopback, one for each of them, and the processes in between.</summary>
internal sealed class Way(string name, int[] ports, Func<IEnumerable<int>> processes)
{
    public string Name => name;

    /// <summary>A stream to a device, which has greeted.</summary>
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

    /// <summary>Until streams can be had.</summary>
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

    /// <summary>MB/s from the devices, or to them, over so many streams at once.</summary>
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
                Devices.Pour(socket, each);
            }

            if (!Devices.Drink(socket, order == Devices.Receive ? 1 : each))
            {
                Interlocked.Increment(ref failed);
            }
        }));
        threads.ForEach(thread => thread.Join());
        var seconds = Stopwatch.GetElapsedTime(begun).TotalSeconds;
        sockets.ForEach(socket => socket.Dispose());
        return failed == 0 ? bytes / seconds / 1e6 : throw new IOException($"{name} ended a stream early.");
    }

    /// <summary>Microseconds of round trips of 64 bytes, in order of length.</summary>
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

    /// <summary>Milliseconds from the wish for a stream to the greeting of the device, the median of so many.</summary>
    public double Greeting(int count) => Opening(count, () => Open());

    /// <summary>
    /// Milliseconds from the wish for a stream to the first byte of the answer to what was sent at once, the median of so many.
    /// </summary>
    public double Answer(int count) => Opening(count, () =>
    {
        var socket = Dial(ports.Length - 1);
        socket.Send(Devices.Order(Devices.Send, 1));
        return Devices.Drink(socket, 1) ? socket : throw new IOException($"{name} gave no stream.");
    });

    /// <summary>Streams that carry all they can, one half in each direction, until disposed.</summary>
    public IDisposable Busy(int streams) => new Burden(Enumerable.Range(0, streams).Select(i =>
    {
        var socket = Open();
        socket.Send(Devices.Order(i % 2 == 0 ? Devices.Send : Devices.Receive, long.MaxValue));
        Devices.Spawn(() =>
        {
            if (i % 2 == 0)
            {
                Devices.Drink(socket, long.MaxValue);
            }
            else
            {
                Devices.Pour(socket, long.MaxValue);
            }
        });
        return socket;
    }));

    /// <summary>Streams whose reader, this or the device, takes nothing although all that fits is on its way, until disposed.</summary>
    public async Task<IDisposable> Stalled(int streams)
    {
        var burden = new Burden(Enumerable.Range(0, streams).Select(i =>
        {
            var socket = Open();
            socket.Send(Devices.Order(i % 2 == 0 ? Devices.Send : Devices.Quiet, long.MaxValue));
            if (i % 2 != 0)
            {
                Devices.Spawn(() => Devices.Pour(socket, long.MaxValue));
            }

            return socket;
        }));
        // All buffers are full once nobody works any more.
        for (var quiet = 0; quiet < 3;)
        {
            var before = ProcessFigures.CpuSeconds(processes());
            await Task.Delay(200);
            quiet = ProcessFigures.CpuSeconds(processes()) - before < 0.05 ? quiet + 1 : 0;
        }

        return burden;
    }

    /// <summary>Seconds of CPU its processes have used.</summary>
    public double Cpu() => ProcessFigures.CpuSeconds(processes());

    /// <summary>Bytes its processes hold, each page shared out among those who have it.</summary>
    public double Memory() => processes().Sum(ProcessFigures.Memory);

    private static double Opening(int count, Func<Socket> open)
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

    private sealed class Burden(IEnumerable<Socket> sockets) : IDisposable
    {
        private readonly List<Socket> _sockets = [.. sockets];

        public void Dispose() => _sockets.ForEach(socket =>
        {
            // A reset: nothing of what is on its way matters.
            socket.LingerState = new LingerOption(true, 0);
            socket.Dispose();
        });
    }
}

/// <summary>What Linux tells of processes.</summary>
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

    /// <summary>The process and all below it.</summary>
    public static IEnumerable<int> Tree(int root)
    {
        var parents = Directory.EnumerateDirectories("/proc").Select(Path.GetFileName).Where(name => char.IsAsciiDigit(name![0]))
            .Select(name => int.Parse(name!, CultureInfo.InvariantCulture))
            .Select(process => (Process: process, Parent: Stat(process) is { } stat ? int.Parse(stat[1], CultureInfo.InvariantCulture) : 0))
                .ToLookup(each => each.Parent, each => each.Process);
        return Below(root);

        IEnumerable<int> Below(int process) => parents[process].SelectMany(Below).Prepend(process);
    }

    // The name in brackets may hold anything.
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
