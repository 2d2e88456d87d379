namespace NetAutomation.AwsSimulator.State;

/// <summary>A kept fault strikes after the records were kept.</summary>
internal enum MeteringFault
{
    Throttle, Unavailable, Cut, Refuse, NotSubscribed, Unprocessed, KeptThenFailed, KeptThenCut, KeptThenSilent,
}

/// <summary>
/// Faults of the next metering calls: those ordered for an account in the call come first, then those ordered for any account, then chance.
/// </summary>
internal sealed class MeteringFaults(MarketplaceOptions options)
{
    private static readonly MeteringFault[] _byChance =
    [
        MeteringFault.Throttle, MeteringFault.Unavailable, MeteringFault.Cut, MeteringFault.Unprocessed, MeteringFault.KeptThenFailed,
        MeteringFault.KeptThenCut,
    ];

    private readonly Lock _gate = new();
    private readonly Dictionary<string, Queue<MeteringFault>> _ordered = new(StringComparer.Ordinal);
    private readonly Random _chance = new(options.FaultSeed);

    /// <param name="account">Null: the next caller, of any account.</param>
    public void Order(string? account, IEnumerable<MeteringFault> kinds)
    {
        lock (_gate)
        {
            _ordered[account ?? ""] = new([.. _ordered.GetValueOrDefault(account ?? "") ?? [], .. kinds]);
        }
    }

    /// <summary>The fault of a call with records of these accounts, and the account it was ordered for.</summary>
    public (MeteringFault? Kind, string? Account) Next(IReadOnlyCollection<string?> accounts)
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
