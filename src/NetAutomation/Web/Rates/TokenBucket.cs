namespace NetAutomation.Web.Rates;

/// <summary>
/// One number says all: the time at which the bucket was empty, or will be (the generic cell rate algorithm of ITU-T I.371). It costs no
/// lock and no timer.
/// </summary>
internal sealed class TokenBucket(Rate rate, TimeProvider clock)
{
    private readonly long _token = TimeSpan.TicksPerSecond / rate.PerSecond;
    private long _emptyAt = long.MinValue / 2;

    public Rate Rate => rate;

    /// <summary>The tokens there are, and how long it takes until the bucket is full.</summary>
    public (long Left, TimeSpan Full) State
    {
        get
        {
            var filled = Math.Min(Now - Volatile.Read(ref _emptyAt), Capacity);
            return (Math.Max(0, filled / _token), TimeSpan.FromTicks(Capacity - filled));
        }
    }

    /// <summary>How long it takes until these tokens are there, or the bucket is full.</summary>
    public TimeSpan Until(long tokens) =>
        TimeSpan.FromTicks(Math.Max(0, Volatile.Read(ref _emptyAt) + (Math.Min(tokens, rate.Burst) * _token) - Now));

    private long Capacity => rate.Burst * _token;

    private long Now => clock.GetElapsedTime(0).Ticks;

    /// <summary>Takes all these tokens or none. More than the bucket holds are taken from a full one.</summary>
    /// <param name="wait">Where there were too few: how long it takes until there are enough.</param>
    public bool Take(long tokens, out TimeSpan wait)
    {
        var cost = Math.Min(tokens, rate.Burst) * _token;
        while (true)
        {
            var (now, at) = (Now, Volatile.Read(ref _emptyAt));
            var next = Math.Max(at, now - Capacity) + cost;
            wait = TimeSpan.FromTicks(Math.Max(0, next - now));
            if (next > now || Interlocked.CompareExchange(ref _emptyAt, next, at) == at)
            {
                return next <= now;
            }
        }
    }

    /// <summary>Gives tokens back that were taken for nothing.</summary>
    public void Return(long tokens) => Interlocked.Add(ref _emptyAt, -tokens * _token);
}
