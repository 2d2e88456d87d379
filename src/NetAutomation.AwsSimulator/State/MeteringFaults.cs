using NetAutomation.AwsSimulator.Wire;

namespace NetAutomation.AwsSimulator.State;

/// <summary>
/// What goes wrong with the next metering calls: what was ordered for an account in the call, what was ordered for any, or chance.
/// </summary>
internal sealed class MeteringFaults(MarketplaceOptions options)
{
    public const string Throttle = "throttle";
    public const string Unavailable = "unavailable";
    public const string Cut = "cut";
    public const string Refuse = "refuse";
    public const string NotSubscribed = "not_subscribed";
    public const string Unprocessed = "unprocessed";
    public const string KeptThenFailed = "kept_then_failed";
    public const string KeptThenCut = "kept_then_cut";
    public const string KeptThenSilent = "kept_then_silent";

    private static readonly string[] _kinds =
        [Throttle, Unavailable, Cut, Refuse, NotSubscribed, Unprocessed, KeptThenFailed, KeptThenCut, KeptThenSilent];
    private static readonly string[] _byChance = [Throttle, Unavailable, Cut, Unprocessed, KeptThenFailed, KeptThenCut];

    private readonly Lock _gate = new();
    private readonly Dictionary<string, Queue<string>> _ordered = new(StringComparer.Ordinal);
    private readonly Random _chance = new(options.FaultSeed);

    /// <param name="account">Null: whoever calls next.</param>
    public void Order(string? account, IEnumerable<string> kinds)
    {
        var list = kinds.ToList();
        if (list.Find(kind => !_kinds.Contains(kind)) is { } unknown)
        {
            throw new AwsException("InvalidRequest", $"There is no fault '{unknown}'; known are {string.Join(", ", _kinds)}.");
        }
        lock (_gate)
        {
            var queue = _ordered[account ?? ""] = _ordered.GetValueOrDefault(account ?? "") ?? new Queue<string>();
            list.ForEach(queue.Enqueue);
        }
    }

    /// <summary>The fault of a call with records of these accounts, and the account it was ordered for.</summary>
    public (string? Kind, string? Account) Next(IReadOnlyCollection<string?> accounts)
    {
        lock (_gate)
        {
            foreach (var account in accounts)
            {
                if (account is not null && _ordered.TryGetValue(account, out var own) && own.TryDequeue(out var kind))
                {
                    return (kind, account);
                }
            }
            if (_ordered.TryGetValue("", out var any) && any.TryDequeue(out var next))
            {
                return (next, null);
            }
            return (_chance.Next(100) < options.FaultPercent ? _byChance[_chance.Next(_byChance.Length)] : null, null);
        }
    }
}
