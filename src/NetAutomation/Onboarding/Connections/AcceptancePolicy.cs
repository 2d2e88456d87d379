using NetAutomation.Persistence;

namespace NetAutomation.Onboarding.Connections;

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

/// <summary>One rule; the first that fits decides.</summary>
internal sealed record PolicyRule(int Position, string Name, OwnerKind Owner, string? Account, Verdict Verdict, string Reason);

/// <summary>What was decided about a connection, and for which tenant.</summary>
internal sealed record Decision(Verdict Verdict, string Rule, string Reason, Guid? BoundTenant);

/// <summary>Decides by the account that owns the endpoint, which AWS proves. The rules are rows.</summary>
internal sealed class AcceptancePolicy(IReadOnlyList<PolicyRule> rules, ILookup<string, AcceptancePolicy.AccountTenant> accounts)
{
    public static async Task<AcceptancePolicy> Load(SystemDb db, CancellationToken cancel)
    {
        var rules = await db.Query<PolicyRule>($"select position, name, owner, account, verdict, reason from onboarding.acceptance_policy order by position", cancel);
        var accounts = await db.Query<AccountTenant>(
            $"select a.account, a.tenant_id, t.state = 'active' as active from onboarding.tenant_account a join onboarding.tenant t using (tenant_id) where a.active",
            cancel);
        return new AcceptancePolicy(rules, accounts.ToLookup(each => each.Account, StringComparer.Ordinal));
    }

    public Decision Decide(string owner)
    {
        var tenants = accounts[owner].ToList();
        var active = tenants.Where(each => each.Active).ToList();
        var kind = active.Count switch
        {
            1 => OwnerKind.OneActiveTenant,
            > 1 => OwnerKind.SeveralActiveTenants,
            _ => tenants.Count > 0 ? OwnerKind.InactiveTenant : OwnerKind.Stranger,
        };
        var rule = rules.FirstOrDefault(each => (each.Owner == kind || each.Owner == OwnerKind.Anyone) && (each.Account is null || each.Account == owner));
        return rule is null
            ? new Decision(Verdict.Leave, "no_rule", "No rule fits: the provider decides.", null)
            : new Decision(rule.Verdict, rule.Name, rule.Reason, rule.Verdict == Verdict.Accept ? active[0].TenantId : null);
    }

    internal sealed record AccountTenant(string Account, Guid TenantId, bool Active);
}
