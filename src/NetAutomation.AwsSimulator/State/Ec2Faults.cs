using NetAutomation.AwsSimulator.Wire;

namespace NetAutomation.AwsSimulator.State;

/// <summary>A kept fault strikes after the call was carried out.</summary>
internal enum Ec2Fault
{
    Throttle, Unavailable, Internal, Cut, KeptThenFailed, KeptThenCut,
}

/// <summary>
/// Faults of EC2 calls: ordered ones first, then throttling by a token bucket per account, then chance; and failing items of decisions.
/// </summary>
internal sealed class Ec2Faults(SimulatorOptions options, TimeProvider clock)
{
    private static readonly Ec2Fault[] _kinds = Enum.GetValues<Ec2Fault>();

    private readonly Lock _gate = new();
    private readonly List<(string? Operation, Ec2Fault Kind)> _ordered = [];
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

    /// <param name="operation">Null: the next call, of any operation.</param>
    public void Order(string? operation, IReadOnlyList<Ec2Fault> kinds, int times)
    {
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

    /// <summary>Calls unless a fault comes first; a kept fault strikes after the call.</summary>
    public T Around<T>(string account, string operation, Func<T> call)
    {
        var fault = Next(account, operation);
        if (fault is null)
        {
            return call();
        }
        if (fault is Ec2Fault.KeptThenFailed or Ec2Fault.KeptThenCut)
        {
            call();
        }
        Exception error = fault switch
        {
            Ec2Fault.Throttle => new AwsException("RequestLimitExceeded", "Request limit exceeded.", 503),
            Ec2Fault.Unavailable => new AwsException("Unavailable", "The server is overloaded and can't handle the request.", 503),
            Ec2Fault.Cut or Ec2Fault.KeptThenCut => new OperationCanceledException("The connection is cut."),
            _ => new AwsException("InternalError", "An internal error has occurred", 500),
        };
        throw error;
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

    private Ec2Fault? Next(string account, string operation)
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
            return !Spend(account) ? Ec2Fault.Throttle
                : _options.FaultPercent > 0 && _chance.Next(100) < _options.FaultPercent ? _kinds[_chance.Next(_kinds.Length)] : null;
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
}
