using NetAutomation.Persistence;
using NetAutomation.Web;

namespace NetAutomation.Connections.Policy;

/// <summary>A decision about a connection.</summary>
/// <param name="Before">The decision that counted when this one was made.</param>
/// <param name="TakesBack">The connection is rejected, or on its way there by a decision before.</param>
internal sealed record Made(Guid Connection, Guid? Before, bool TakesBack, Decision Decision);

/// <summary>
/// What was decided about endpoint connections, by whom and why; never changed. The connection names the one that counts.
/// </summary>
internal static class Decisions
{
    /// <summary>Writes those whose connection was not decided by somebody else meanwhile; answers the connections.</summary>
    public static Task<List<Guid>> Write(SystemDb db, IReadOnlyCollection<Made> made, string madeBy, CancellationToken cancel)
    {
        Guid[] ids = [.. made.Select(_ => Guid.CreateVersion7())];
        Guid[] connections = [.. made.Select(each => each.Connection)];
        Guid?[] before = [.. made.Select(each => each.Before)];
        bool[] backs = [.. made.Select(each => each.TakesBack)];
        string[] verdicts = [.. made.Select(each => Wire.Name(each.Decision.Verdict))];
        string[] rules = [.. made.Select(each => each.Decision.Rule)];
        string[] reasons = [.. made.Select(each => each.Decision.Reason)];
        Guid?[] tenants = [.. made.Select(each => each.Decision.BoundTenant)];
        int?[] versions = [.. made.Select(each => each.Decision.PolicyVersion)];
        return db.Query<Guid>(
            $"""
            with kept as (
              update onboarding.endpoint_connection c set decision = m.id, attempts = 0, ask_at = null, fault = null
              from unnest({ids}, {connections}, {before}, {backs}, {verdicts}, {rules}, {reasons}, {tenants}, {versions})
                as m(id, connection, before, takes_back, verdict, rule, reason, bound_tenant, policy_version)
              where c.id = m.connection and c.decision is not distinct from m.before
              returning m.*
            )
            insert into onboarding.acceptance_decision (id, connection, verdict, rule, reason, made_by, bound_tenant, policy_version, takes_back)
            select id, connection, verdict, rule, reason, {madeBy}, bound_tenant, policy_version, takes_back from kept
            returning connection
            """,
            cancel);
    }
}
