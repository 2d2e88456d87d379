using System.Text.Json;
using NetAutomation.Persistence;
using NetAutomation.Web;

namespace NetAutomation.Connections.Policy;

/// <summary>A decision about a connection, to be stored.</summary>
/// <param name="Before">The decision that was in force when this one was made.</param>
/// <param name="TakesBack">The connection is rejected, or an earlier decision is about to reject it.</param>
internal sealed record NewDecision(Guid Connection, Guid? Before, bool TakesBack, Decision Decision);

/// <summary>
/// The decisions about endpoint connections, each with its author and reason. They never change. The connection names the one in force.
/// </summary>
internal static class Decisions
{
    /// <summary>Stores those whose connection has not been decided again in the meantime.</summary>
    public static Task Write(SystemDb db, IReadOnlyCollection<NewDecision> decisions, string madeBy, CancellationToken cancel)
    {
        var rows = JsonSerializer.Serialize(
            decisions.Select(each => new
            {
                id = Guid.CreateVersion7(), connection = each.Connection, before = each.Before, takes_back = each.TakesBack,
                verdict = each.Decision.Verdict, rule = each.Decision.Rule, reason = each.Decision.Reason,
                bound_tenant = each.Decision.BoundTenant, policy_version = each.Decision.PolicyVersion,
            }),
            Json.Api);
        return db.Execute(
            $"""
            with kept as (
              update onboarding.endpoint_connection c set decision = n.id, attempts = 0, ask_at = null, fault = null
              from jsonb_to_recordset({rows}::jsonb) as n(
                id uuid, connection uuid, before uuid, takes_back boolean, verdict text, rule text, reason text, bound_tenant uuid,
                policy_version int)
              where c.id = n.connection and c.decision is not distinct from n.before
              returning n.*
            )
            insert into onboarding.acceptance_decision
              (id, connection, verdict, rule, reason, made_by, bound_tenant, policy_version, takes_back)
            select id, connection, verdict, rule, reason, {madeBy}, bound_tenant, policy_version, takes_back from kept
            """,
            cancel);
    }
}
