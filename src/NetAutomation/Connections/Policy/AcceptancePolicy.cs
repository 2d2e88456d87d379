using System.Text.Json;
using NetAutomation.Persistence;
using NetAutomation.Web;

namespace NetAutomation.Connections.Policy;

internal enum Verdict
{
    Accept,
    Reject,
    Leave,
}

internal enum OwnerKind
{
    OneActiveTenant,
    SeveralActiveTenants,
    InactiveTenant,
    Stranger,
    Anyone,
}

/// <summary>A decision about a connection.</summary>
/// <param name="BoundTenant">The tenant of the connection; where it is rejected, its last tenant.</param>
/// <param name="PolicyVersion">The policy that holds the rule; null where no policy decided.</param>
internal sealed record Decision(Verdict Verdict, string Rule, string Reason, Guid? BoundTenant, int? PolicyVersion = null);

/// <summary>The facts about a connection that a rule may ask for.</summary>
/// <param name="Connection">Does not count against its tenant's maximum itself.</param>
internal sealed record Candidate(string Owner, string Region, IReadOnlyDictionary<string, string> Tags, Guid? Connection = null);

/// <summary>A rule that came before and did not fit, with the condition that did not hold.</summary>
/// <param name="Rule">Its name.</param>
/// <param name="Because">The first member of the rule that did not hold.</param>
public sealed record PassedOver(string Rule, string Because);

/// <summary>
/// Decides by the facts that AWS proves about an endpoint (account, Region) and those that the provider has (tenants, agreements, tags on
/// the connection). It counts the connections that it accepts, so one instance serves one round.
/// </summary>
internal sealed class AcceptancePolicy(
    int version, IReadOnlyList<AcceptanceRule> rules, ILookup<string, AcceptancePolicy.AccountTenant> accounts,
    Dictionary<Guid, Guid> taken, DateTimeOffset now)
{
    private readonly Dictionary<Guid, int> _numbers = taken.Values.GroupBy(tenant => tenant)
        .ToDictionary(group => group.Key, group => group.Count());

    public static async Task<AcceptancePolicy> Load(SystemDb db, DateTimeOffset now, CancellationToken cancel)
    {
        var (version, rules) = await Current(db, cancel);
        var accounts = await db.Query<AccountTenant>(
            $"""
            select a.account, a.tenant_id, t.state = 'active' as active, t.state in ('active', 'suspended') as serves,
                   array(select distinct g.state from onboarding.agreement g where g.tenant_id = t.tenant_id) as agreements
            from onboarding.tenant_account a join onboarding.tenant t using (tenant_id) where a.active
            """,
            cancel);
        // Connections are counted only where a rule has a maximum.
        var accepted = rules.Any(rule => rule.MaxConnections is not null)
            ? await db.Query<Taken>(
                $"""
                select c.id as connection, d.bound_tenant as tenant
                from onboarding.endpoint_connection c join onboarding.acceptance_decision d on d.id = c.decision
                where c.missed < 3 and d.verdict = 'accept' and lower(c.state) in ('pendingacceptance', 'pending', 'available')
                """,
                cancel)
            : [];
        return new AcceptancePolicy(
            version, rules, accounts.ToLookup(each => each.Account, StringComparer.Ordinal),
            accepted.ToDictionary(each => each.Connection, each => each.Tenant), now);
    }

    public static async Task<(int Version, IReadOnlyList<AcceptanceRule> Rules)> Current(SystemDb db, CancellationToken cancel)
    {
        var stored = (await db.Query<Stored>(
            $"select version, rules from onboarding.acceptance_policy_version order by version desc limit 1", cancel))[0];
        return (stored.Version, stored.Rules.Deserialize<List<AcceptanceRule>>(Json.Api)!);
    }

    /// <param name="as">Decide as if the account were this tenant's alone.</param>
    /// <param name="passedOver">Filled with the rules before the one that decided.</param>
    public Decision Decide(Candidate candidate, Guid? @as = null, List<PassedOver>? passedOver = null)
    {
        var tenants = @as is { } only
            ? accounts.SelectMany(each => each).Where(each => each.TenantId == only).Take(1).ToList()
            : accounts[candidate.Owner].ToList();
        var active = tenants.Where(each => each.Active).ToList();
        // A suspended tenant keeps its endpoints, so another tenant of the account is not the only one.
        var kind = (active.Count, tenants.Count(each => each.Serves)) switch
        {
            (1, 1) => OwnerKind.OneActiveTenant,
            ( > 0, _) => OwnerKind.SeveralActiveTenants,
            _ => tenants.Count > 0 ? OwnerKind.InactiveTenant : OwnerKind.Stranger,
        };
        foreach (var rule in rules)
        {
            if (Unmet(rule, candidate, kind, tenants, active) is { } because)
            {
                passedOver?.Add(new(rule.Name, because));
                continue;
            }

            var verdict = Wire.Value<Verdict>(rule.Verdict);
            var tenant = verdict == Verdict.Accept ? active[0].TenantId : (Guid?)null;
            Count(candidate, tenant);
            return new Decision(verdict, rule.Name, rule.Reason, tenant, version);
        }

        return new Decision(Verdict.Leave, "no_rule", "No rule fits: the provider decides.", null, version);
    }

    private string? Unmet(AcceptanceRule rule, Candidate candidate, OwnerKind kind, List<AccountTenant> tenants, List<AccountTenant> active)
    {
        var owner = Wire.Value<OwnerKind>(rule.Owner);
        return owner != kind && owner != OwnerKind.Anyone ? "owner"
            : rule.Accounts?.Contains(candidate.Owner) == false ? "accounts"
            : rule.Agreement is { } states && !tenants.Exists(each => each.Agreements.Any(states.Contains)) ? "agreement"
            : rule.Regions?.Contains(candidate.Region) == false ? "regions"
            : rule.Tags?.All(tag => candidate.Tags.GetValueOrDefault(tag.Key) == tag.Value) == false ? "tags"
            : rule.MaxConnections is { } most && active.Exists(each => Others(each.TenantId, candidate) >= most) ? "maxConnections"
            : now < rule.ValidFrom ? "validFrom"
            : now >= rule.ValidUntil ? "validUntil"
            : rule.Hours?.Hold(now) == false ? "hours"
            : null;
    }

    private int Others(Guid tenant, Candidate candidate) =>
        _numbers.GetValueOrDefault(tenant) - (
            candidate.Connection is { } self && taken.TryGetValue(self, out var holder) && holder == tenant ? 1 : 0);

    private void Count(Candidate candidate, Guid? tenant)
    {
        if (candidate.Connection is not { } connection)
        {
            return;
        }

        if (taken.Remove(connection, out var before))
        {
            _numbers[before]--;
        }

        if (tenant is { } taker)
        {
            taken[connection] = taker;
            _numbers[taker] = _numbers.GetValueOrDefault(taker) + 1;
        }
    }

    internal sealed record AccountTenant(string Account, Guid TenantId, bool Active, bool Serves, string[] Agreements);

    private sealed record Taken(Guid Connection, Guid Tenant);

    private sealed record Stored(int Version, JsonElement Rules);
}
