using NetAutomation.Persistence;
using NetAutomation.Platform;

namespace NetAutomation.Onboarding.Connections;

/// <summary>What was decided about endpoint connections, by whom and why; never changed, the last row counts.</summary>
internal static class Decisions
{
    public static Task Write(SystemDb db, EndpointConnectionId connection, Decision decision, string madeBy, CancellationToken cancel) => db.Execute(
        $"""
        insert into onboarding.acceptance_decision (id, connection, verdict, rule, reason, made_by, bound_tenant)
        values ({Guid.CreateVersion7()}, {connection.Value}, {Wire.Name(decision.Verdict)}, {decision.Rule}, {decision.Reason}, {madeBy}, {decision.BoundTenant})
        """,
        cancel);
}
