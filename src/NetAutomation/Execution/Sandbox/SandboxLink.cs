using System.Collections.Concurrent;
using System.Globalization;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;
using NetAutomation.Tunnel;

namespace NetAutomation.Execution.Sandbox;

/// <summary>
/// The only way out of a sandbox: one unix socket. A program inside sends <c>address port\n</c>, and if that is one of the
/// run's devices the link answers <c>+</c> and carries bytes; anything else is closed, as is what another user than the sandbox's opens.
/// <c>address port key\n</c> is for a look at the device's host key, before anything of the block has begun. Dials of a device beyond a
/// rate wait. No connection beyond
/// <see cref="MostConnections"/> is accepted: what a sandbox opens besides waits in the kernel, on descriptors of the sandbox alone.
/// </summary>
internal sealed class SandboxLink : IAsyncDisposable
{
    public const int Port = 2222;
    private const int StreamsPerDevice = 4;
    private const int SocketLevel = 1;
    private const int PeerCredentials = 17;

    // Dials of one device: a run needs a few; each costs the database some questions, whatever becomes of it.
    private const int DialsAtOnce = 20;

    // For those that have not yet said which device they want, or are to be told that it has its streams.
    private const int Waiting = 8;
    private static readonly TimeSpan _handshakeTimeout = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan _dialTimeout = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan _dialEvery = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan _pause = TimeSpan.FromMilliseconds(200);
    private readonly string _socketPath;
    private readonly uint _user;
    private readonly Dial _dial;
    private readonly TimeProvider _clock;
    private readonly Dictionary<string, Entry> _byName;
    private readonly Dictionary<string, Entry> _byAddress;
    private readonly ConcurrentDictionary<Task, byte> _streams = new();
    private readonly CancellationTokenSource _closed = new();
    private readonly Socket _listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private readonly SemaphoreSlim _free;
    private Task _accepting = Task.CompletedTask;
    private long _lastByte;
    private bool _strange;

    /// <param name="user">The sandbox's, as this process sees it.</param>
    public SandboxLink(string socketPath, uint user, IEnumerable<SandboxDevice> devices, Dial dial, TimeProvider clock)
    {
        _user = user;
        (_socketPath, _dial, _clock, _lastByte) = (socketPath, dial, clock, clock.GetTimestamp());
        _byName = devices.Select((device, index) => new Entry(device.Name, Address(index)))
            .ToDictionary(entry => entry.Name, StringComparer.Ordinal);
        _byAddress = _byName.Values.ToDictionary(entry => entry.Loopback, StringComparer.Ordinal);
        MostConnections = _byName.Count * StreamsPerDevice + Waiting;
        _free = new SemaphoreSlim(MostConnections);
    }

    /// <summary>Connections that are accepted at the same time, each a descriptor of this process.</summary>
    public int MostConnections { get; }

    /// <summary>Is told the first user beside the sandbox's who connects.</summary>
    public Action<uint>? Stranger { get; init; }

    public TimeSpan Quiet => _clock.GetElapsedTime(Interlocked.Read(ref _lastByte));

    public string AddressOf(string device) => _byName[device].Loopback;

    public bool Contacted(string device) => _byName[device].DialTime is not null;

    /// <summary>Somebody inside asked for a stream to the device.</summary>
    public bool Asked(string device) => _byName[device].Asked;

    /// <summary>True once the block itself had a stream to the device.</summary>
    public bool Opened(string device) => _byName[device].Opened;

    /// <summary>Why the last dial of this device was refused, if the connector gave a reason.</summary>
    public DialRefusedException? Refusal(string device) => _byName[device].Refusal;

    public TimeSpan? DialTime(string device) => _byName[device].DialTime;

    public void Listen()
    {
        _listener.Bind(new UnixDomainSocketEndPoint(_socketPath));
        // The sandbox is another user. Who connects is asked.
        File.SetUnixFileMode(_socketPath, (UnixFileMode)0b110_110_110);
        // A program that finds the queue full is refused: there must be room for all that may be accepted.
        _listener.Listen(MostConnections);
        _accepting = Task.Run(Accept, CancellationToken.None);
    }

    public async ValueTask DisposeAsync()
    {
        await _closed.CancelAsync();
        _listener.Dispose();
        await _accepting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await Task.WhenAll(_streams.Keys).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _closed.Dispose();
        _free.Dispose();
    }

    private static string Address(int index) => string.Create(CultureInfo.InvariantCulture, $"127.1.{index / 250}.{index % 250 + 1}");

    private async Task Accept()
    {
        while (!_closed.IsCancellationRequested)
        {
            await _free.WaitAsync(_closed.Token);
            try
            {
                var socket = await _listener.AcceptAsync(_closed.Token);
                if (!IsOwn(socket))
                {
                    socket.Dispose();
                    _free.Release();
                    continue;
                }

                var stream = Task.Run(() => Serve(socket), CancellationToken.None);
                _streams.TryAdd(stream, 0);
                _ = stream.ContinueWith(
                    done => _streams.TryRemove(done, out _), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously,
                    TaskScheduler.Default);
            }
            catch (SocketException)
            {
                // The connection ended before it was taken, or this process has no descriptor left for it: others may come.
                _free.Release();
                await Task.Delay(_pause, _clock, _closed.Token);
            }
        }
    }

    /// <summary>Whether the sandbox has made this connection: the kernel says which user did (unix(7)).</summary>
    private bool IsOwn(Socket socket)
    {
        Span<byte> credentials = stackalloc byte[3 * sizeof(int)];
        socket.GetRawSocketOption(SocketLevel, PeerCredentials, credentials);
        var user = MemoryMarshal.Cast<byte, uint>(credentials)[1];
        if (user != _user && !_strange)
        {
            _strange = true;
            Stranger?.Invoke(user);
        }

        return user == _user;
    }

    private async Task Serve(Socket socket)
    {
        try
        {
            using var inside = new NetworkStream(socket, ownsSocket: true);
            if (await Handshake(inside) is var (entry, key))
            {
                await Serve(inside, socket, entry, key);
            }
        }
        catch (Exception fault) when (fault is IOException or SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // A cut stream is reported by the program that uses it.
        }
        finally
        {
            _free.Release();
        }
    }

    private async Task Serve(NetworkStream inside, Socket socket, Entry entry, bool key)
    {
        try
        {
            if (Interlocked.Increment(ref entry.Open) > StreamsPerDevice)
            {
                return;
            }

            await using var outside = await DialDevice(entry);
            if (outside is not null)
            {
                entry.Opened |= !key;
                await inside.WriteAsync("+"u8.ToArray(), _closed.Token);
                await Carry(inside, socket, outside);
            }
        }
        finally
        {
            Interlocked.Decrement(ref entry.Open);
        }
    }

    private async Task<(Entry Entry, bool Key)?> Handshake(NetworkStream inside)
    {
        using var limit = _closed.Token.Within(_handshakeTimeout);
        var buffer = new byte[32];
        var length = 0;
        // Byte by byte: the bytes after the line belong to the device.
        while (length < buffer.Length && await inside.ReadAsync(buffer.AsMemory(length, 1), limit.Token) == 1)
        {
            if (buffer[length] == '\n')
            {
                var parts = Encoding.ASCII.GetString(buffer, 0, length).Split(' ');
                return parts is [var address, "2222", .. var rest] && rest is [] or ["key"]
                    && _byAddress.TryGetValue(address, out var entry) ? (entry, rest is ["key"]) : null;
            }

            length++;
        }

        return null;
    }

    private async Task<Stream?> DialDevice(Entry entry)
    {
        entry.Asked = true;
        if (entry.Turn(_clock) is { Ticks: > 0 } wait)
        {
            await Task.Delay(wait, _clock, _closed.Token);
        }

        using var limit = _closed.Token.Within(_dialTimeout);
        var started = _clock.GetTimestamp();
        try
        {
            var stream = await _dial(entry.Name, limit.Token);
            if (stream is not null)
            {
                entry.DialTime ??= _clock.GetElapsedTime(started);
                entry.Refusal = null;
            }

            return stream;
        }
        catch (DialRefusedException refusal)
        {
            entry.Refusal = refusal;
            return null;
        }
        catch (Exception) when (!_closed.IsCancellationRequested)
        {
            return null;
        }
    }

    private async Task Carry(NetworkStream inside, Socket socket, Stream outside)
    {
        using var cut = CancellationTokenSource.CreateLinkedTokenSource(_closed.Token);
        var toDevice = Pump(inside, outside, cut.Token);
        var fromDevice = Pump(outside, inside, cut.Token);
        await Task.WhenAny(toDevice, fromDevice);
        if (fromDevice.IsCompleted)
        {
            // The program inside may not have read the last bytes yet.
            socket.Shutdown(SocketShutdown.Send);
            cut.CancelAfter(TimeSpan.FromSeconds(2));
        }
        else
        {
            await cut.CancelAsync();
        }

        await Task.WhenAll(toDevice, fromDevice).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private async Task Pump(Stream from, Stream to, CancellationToken cancel)
    {
        var buffer = new byte[32 * 1024];
        int read;
        while ((read = await from.ReadAsync(buffer, cancel)) > 0)
        {
            await to.WriteAsync(buffer.AsMemory(0, read), cancel);
            await to.FlushAsync(cancel);
            Interlocked.Exchange(ref _lastByte, _clock.GetTimestamp());
        }
    }

    private sealed record Entry(string Name, string Loopback)
    {
        public int Open;

        public volatile bool Asked;

        public volatile bool Opened;

        public volatile DialRefusedException? Refusal;

        public TimeSpan? DialTime { get; set; }

        private readonly Lock _gate = new();
        private DateTimeOffset _next;

        /// <summary>How long the next dial has to wait: so many may come at once, further ones at a steady rate.</summary>
        public TimeSpan Turn(TimeProvider clock)
        {
            lock (_gate)
            {
                var now = clock.GetUtcNow();
                _next = (_next > now ? _next : now) + _dialEvery;
                return _next - now - (DialsAtOnce * _dialEvery);
            }
        }
    }
}
