using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Onboarding.Connections;
using NetAutomation.Persistence;
using NetAutomation.Platform;

namespace NetAutomation.Onboarding.Operators;

/// <summary>One acceptance rule; the first that fits decides.</summary>
/// <param name="Name">Shown with every decision it makes.</param>
/// <param name="Owner">one_active_tenant, several_active_tenants, inactive_tenant, stranger or anyone.</param>
/// <param name="Account">Only this AWS account.</param>
/// <param name="Verdict">accept (only for one_active_tenant), reject or leave.</param>
/// <param name="Reason">Shown to the customer.</param>
public sealed record AcceptanceRuleView(string Name, string Owner, string? Account, string Verdict, string Reason);

internal static class OperatePolicy
{
    public static async Task<Ok<List<AcceptanceRuleView>>> List(SystemDb db, CancellationToken cancel) => TypedResults.Ok(await Find(db, cancel));

    /// <summary>Replaces all rules, in the order given.</summary>
    public static async Task<Results<Ok<List<AcceptanceRuleView>>, Problem>> Replace(
        List<AcceptanceRuleView> rules, SystemDb db, ReconcileSignal signal, CancellationToken cancel)
    {
        await db.Execute($"delete from onboarding.acceptance_policy", cancel);
        for (var i = 0; i < rules.Count; i++)
        {
            var rule = rules[i];
            if (Fault(rule) is { } fault)
            {
                return Platform.Problems.Refused.At($"/{i}/{fault}", "not_allowed", "This value, or this combination, is not allowed.");
            }

            await db.Execute(
                $"""
                insert into onboarding.acceptance_policy (position, name, owner, account, verdict, reason)
                values ({(i + 1) * 100}, {rule.Name}, {rule.Owner}, {rule.Account}, {rule.Verdict}, {rule.Reason})
                """,
                cancel);
        }

        db.AfterCommit.Add(signal.Nudge);
        return TypedResults.Ok(await Find(db, cancel));
    }

    private static string? Fault(AcceptanceRuleView rule) =>
        !Wire.TryValue<OwnerKind>(rule.Owner, out var owner) ? "owner"
        : !Wire.TryValue<Verdict>(rule.Verdict, out var verdict) || (verdict == Verdict.Accept && owner != OwnerKind.OneActiveTenant) ? "verdict"
        : rule.Account is { } account && (account.Length != 12 || !account.All(char.IsAsciiDigit)) ? "account"
        : rule.Name.Length is < 1 or > 100 ? "name"
        : null;

    private static Task<List<AcceptanceRuleView>> Find(SystemDb db, CancellationToken cancel) =>
        db.Query<AcceptanceRuleView>($"select name, owner, account, verdict, reason from onboarding.acceptance_policy order by position", cancel);
}
