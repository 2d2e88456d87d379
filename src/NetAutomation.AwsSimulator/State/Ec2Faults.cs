using NetAutomation.AwsSimulator.Wire;

namespace NetAutomation.AwsSimulator.State;

/// <summary>
/// What goes wrong with EC2 calls: throttling by a token bucket per account, what was ordered, and items that a decision fails for.
/// </summary>
internal sealed class Ec2Faults(SimulatorOptions options, TimeProvider clock)
{
    public const string Throttle = "throttle";
    public const string Unavailable = "unavailable";
    public const string Internal = "internal";
    public const string Cut = "cut";
    public const string KeptThenFailed = "kept_then_failed";
    public const string KeptThenCut = "kept_then_cut";

    private static readonly string[] _kinds = [Throttle, Unavailable, Internal, Cut, KeptThenFailed, KeptThenCut];
    private static readonly string[] _byChance = [Throttle, Unavailable, Internal, Cut, KeptThenFailed, KeptThenCut];

    private readonly Lock _gate = new();
    private readonly List<(string? Operation, string Kind)> _ordered = [];
    private readonly Dictionary<string, (string Code, int Times)> _items = new(StringComparer.Ordinal);
    private readonly Dictionary<string, (double Tokens, DateTimeOffset At)> _buckets = new(StringComparer.Ordinal);
    private Ec2Options _options = options.Ec2;
    private Random _chance = new(options.Ec2.FaultSeed);

    public Ec2Options Options
    {
        get
        {
            lock (_gate)
            {
                return _options;
            }
        }

        set
        {
            lock (_gate)
            {
                _options = value;
                _chance = new(value.FaultSeed);
                _buckets.Clear();
            }
        }
    }

    /// <param name="operation">Null: whichever is called next.</param>
    public void Order(string? operation, IReadOnlyList<string> kinds, int times)
    {
        if (kinds.FirstOrDefault(kind => !_kinds.Contains(kind)) is { } unknown)
        {
            throw new AwsException("InvalidRequest", $"There is no fault '{unknown}'; known are {string.Join(", ", _kinds)}.");
        }
        lock (_gate)
        {
            for (var i = 0; i < times; i++)
            {
                _ordered.AddRange(kinds.Select(kind => (operation, kind)));
            }
        }
    }

    /// <summary>The next decisions on these endpoints fail so many times, as items of a call that succeeds.</summary>
    public void OrderItems(IEnumerable<string> endpoints, string code, int times)
    {
        lock (_gate)
        {
            foreach (var id in endpoints)
            {
                _items[id] = (code, times);
            }
        }
    }

    /// <summary>Calls unless a fault comes first; a kept call happened although the caller is told otherwise.</summary>
    public T Around<T>(string account, string operation, Func<T> call)
    {
        var fault = Next(account, operation);
        Refuse(fault);
        var result = call();
        switch (fault)
        {
            case KeptThenFailed:
                throw new AwsException("InternalError", "An internal error has occurred", 500);
            case KeptThenCut:
                throw new OperationCanceledException("The connection is cut.");
            default:
                return result;
        }
    }

    /// <summary>The error of one item of a decision, or nothing.</summary>
    public AwsException? Item(string endpoint)
    {
        lock (_gate)
        {
            if (_items.TryGetValue(endpoint, out var item) && item.Times > 0)
            {
                _items[endpoint] = item with { Times = item.Times - 1 };
                return new AwsException(item.Code, $"The decision on '{endpoint}' failed.");
            }
            return _options.ItemFaultPercent > 0 && _chance.Next(100) < _options.ItemFaultPercent
                ? new AwsException("InternalError", $"The decision on '{endpoint}' failed.") : null;
        }
    }

    private string? Next(string account, string operation)
    {
        lock (_gate)
        {
            var at = _ordered.FindIndex(order => order.Operation is null || order.Operation == operation);
            if (at >= 0)
            {
                var kind = _ordered[at].Kind;
                _ordered.RemoveAt(at);
                return kind;
            }
            return !Spend(account)
                ? Throttle
                    : _options.FaultPercent > 0 && _chance.Next(100) < _options.FaultPercent
                        ? _byChance[_chance.Next(_byChance.Length)] : null;
        }
    }

    private bool Spend(string account)
    {
        if (_options.BucketCapacity <= 0)
        {
            return true;
        }
        var now = clock.GetUtcNow();
        var (tokens, at) = _buckets.GetValueOrDefault(account, (_options.BucketCapacity, now));
        tokens = Math.Min(_options.BucketCapacity, tokens + ((now - at).TotalSeconds * _options.RefillPerSecond));
        var enough = tokens >= 1;
        _buckets[account] = (enough ? tokens - 1 : tokens, now);
        return enough;
    }

    private static void Refuse(string? fault)
    {
        switch (fault)
        {
            case Throttle:
                throw new AwsException("RequestLimitExceeded", "Request limit exceeded.", 503);
            case Unavailable:
                throw new AwsException("Unavailable", "The server is overloaded and can't handle the request.", 503);
            case Internal:
                throw new AwsException("InternalError", "An internal error has occurred", 500);
            case Cut:
                throw new OperationCanceledException("The connection is cut.");
        }
    }
}
