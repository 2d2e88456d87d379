using System.Net;

namespace NetAutomation.Connector;

/// <summary>
/// What this connector spares its devices: sessions at once per device, new connections per second per device and in all. A device is an
/// address and port. Who would exceed a limit waits a little for room, then is turned away.
/// </summary>
internal sealed class DeviceLimits(int sessions, int deviceRate, int rate, TimeProvider time)
{
    public const int DefaultSessions = 4;
    public const int DefaultDeviceRate = 5;
    public const int DefaultRate = 50;
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(2);
    private readonly Lock _lock = new();
    private readonly Dictionary<IPEndPoint, Device> _devices = [];
    private readonly Pace _all = new(rate);

    /// <summary>
    /// A place for one session, until it is disposed; null where none became free within two seconds or half of the deadline.
    /// </summary>
    public async Task<IDisposable?> Enter(IPEndPoint address, TimeSpan deadline, CancellationToken ct)
    {
        var patience = deadline / 2 < _patience ? deadline / 2 : _patience;
        var started = time.GetTimestamp();
        var place = new Place(this, Know(address));
        try
        {
            using var brief = new CancellationTokenSource(patience, time);
            using var both = CancellationTokenSource.CreateLinkedTokenSource(ct, brief.Token);
            await place.Take(both.Token);
            if (Turn(place.Device, patience - time.GetElapsedTime(started)) is { } wait)
            {
                await Task.Delay(wait, time, ct);
                return place;
            }
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            // No session of the device ended in time.
        }
        catch
        {
            place.Dispose();
            throw;
        }

        place.Dispose();
        return null;
    }

    private Device Know(IPEndPoint address)
    {
        lock (_lock)
        {
            if (!_devices.TryGetValue(address, out var device))
            {
                // Those that nobody uses and that have their full rate again are like new.
                foreach (var (idle, _) in _devices.Where(d => d.Value.Users == 0 && d.Value.Pace.IsFull(time)).ToList())
                {
                    _devices.Remove(idle);
                }

                _devices[address] = device = new Device(sessions, deviceRate);
            }

            device.Users++;
            return device;
        }
    }

    /// <summary>How long until the connection may be made; null, and nothing is taken, where that is longer than allowed.</summary>
    private TimeSpan? Turn(Device device, TimeSpan longest)
    {
        lock (_lock)
        {
            var (own, all) = (device.Pace.Wait(time), _all.Wait(time));
            var wait = own > all ? own : all;
            if (wait > longest)
            {
                return null;
            }

            device.Pace.Take(time);
            _all.Take(time);
            return wait;
        }
    }

    private sealed class Device(int sessions, int rate)
    {
        public SemaphoreSlim Room { get; } = new(sessions);

        public Pace Pace { get; } = new(rate);

        public int Users { get; set; }
    }

    private sealed class Place(DeviceLimits limits, Device device) : IDisposable
    {
        private bool _taken;
        private bool _left;

        public Device Device => device;

        public async Task Take(CancellationToken ct)
        {
            await device.Room.WaitAsync(ct);
            _taken = true;
        }

        public void Dispose()
        {
            lock (limits._lock)
            {
                if (_left)
                {
                    return;
                }

                _left = true;
                device.Users--;
            }

            if (_taken)
            {
                device.Room.Release();
            }
        }
    }

    /// <summary>A token bucket that holds a second's worth, kept as the moment at which it is full again.</summary>
    private sealed class Pace(int perSecond)
    {
        private readonly TimeSpan _each = TimeSpan.FromSeconds(1.0 / perSecond);
        private TimeSpan _full;

        public bool IsFull(TimeProvider time) => _full <= Now(time);

        public TimeSpan Wait(TimeProvider time)
        {
            var wait = _full + _each - TimeSpan.FromSeconds(1) - Now(time);
            return wait > TimeSpan.Zero ? wait : TimeSpan.Zero;
        }

        public void Take(TimeProvider time)
        {
            var now = Now(time);
            _full = (_full > now ? _full : now) + _each;
        }

        private static TimeSpan Now(TimeProvider time) => time.GetElapsedTime(0);
    }
}
