using System.Net;

namespace NetAutomation.Connector;

/// <summary>
/// Limits that protect devices: sessions at once per device, new connections per second per device and in all. A device is an address
/// and port. A dial over a limit waits up to two seconds, then is refused.
/// </summary>
internal sealed class DeviceLimits(int sessions, int deviceRate, int rate, TimeProvider clock)
{
    public const int DefaultSessions = 4;
    public const int DefaultDeviceRate = 5;
    public const int DefaultRate = 50;
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(2);
    private readonly Lock _lock = new();
    private readonly Dictionary<IPEndPoint, Device> _devices = [];
    private readonly Pace _all = new(rate, clock);

    /// <summary>
    /// A place for one session, until it is disposed; null where none became free within two seconds or half of the deadline.
    /// </summary>
    public async Task<IDisposable?> Enter(IPEndPoint address, TimeSpan deadline, CancellationToken cancel)
    {
        var patience = deadline / 2 < _patience ? deadline / 2 : _patience;
        var started = clock.GetTimestamp();
        var place = new Place(this, Use(address));
        try
        {
            using var limit = new CancellationTokenSource(patience, clock);
            using var both = CancellationTokenSource.CreateLinkedTokenSource(cancel, limit.Token);
            await place.Take(both.Token);
            if (Turn(place.Device, patience - clock.GetElapsedTime(started)) is { } wait)
            {
                await Task.Delay(wait, clock, cancel);
                return place;
            }
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
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

    private Device Use(IPEndPoint address)
    {
        lock (_lock)
        {
            if (!_devices.TryGetValue(address, out var device))
            {
                // Unused devices with a full bucket are like new ones.
                foreach (var (idle, _) in _devices.Where(d => d.Value.Users == 0 && d.Value.Pace.IsFull).ToList())
                {
                    _devices.Remove(idle);
                }

                _devices[address] = device = new Device(sessions, new Pace(deviceRate, clock));
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
            var (own, all) = (device.Pace.Wait(), _all.Wait());
            var wait = own > all ? own : all;
            if (wait > longest)
            {
                return null;
            }

            device.Pace.Take();
            _all.Take();
            return wait;
        }
    }

    private sealed class Device(int sessions, Pace pace)
    {
        public SemaphoreSlim Room { get; } = new(sessions);

        public Pace Pace => pace;

        public int Users { get; set; }
    }

    private sealed class Place(DeviceLimits limits, Device device) : IDisposable
    {
        private bool _taken;
        private bool _left;

        public Device Device => device;

        public async Task Take(CancellationToken cancel)
        {
            await device.Room.WaitAsync(cancel);
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
    private sealed class Pace(int perSecond, TimeProvider clock)
    {
        private readonly TimeSpan _each = TimeSpan.FromSeconds(1.0 / perSecond);
        private TimeSpan _full;

        public bool IsFull => _full <= Now();

        public TimeSpan Wait()
        {
            var wait = _full + _each - TimeSpan.FromSeconds(1) - Now();
            return wait > TimeSpan.Zero ? wait : TimeSpan.Zero;
        }

        public void Take()
        {
            var now = Now();
            _full = (_full > now ? _full : now) + _each;
        }

        private TimeSpan Now() => clock.GetElapsedTime(0);
    }
}
