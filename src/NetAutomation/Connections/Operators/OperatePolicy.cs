using System.Text.Json;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Options;
using NetAutomation.Connections.Policy;
using NetAutomation.Persistence;
using NetAutomation.Web;
using NetAutomation.Web.Http;

namespace NetAutomation.Connections.Operators;

/// <summary>The acceptance policy that decides now.</summary>
/// <param name="Version">Stands with every decision it makes, and in the ETag.</param>
/// <param name="Rules">In the order they are asked.</param>
public sealed record AcceptancePolicyView(int Version, IReadOnlyList<AcceptanceRule> Rules);

/// <summary>Replaces the acceptance policy.</summary>
/// <param name="Rules">All rules, in the order they are asked.</param>
public sealed record ReplaceAcceptancePolicyRequest(IReadOnlyList<AcceptanceRule> Rules);

/// <summary>An endpoint connection that might come.</summary>
/// <param name="Owner">AWS account of the endpoint.</param>
/// <param name="Region">Its Region; that of the service where it is left out.</param>
/// <param name="Tags">Tags on the connection.</param>
/// <param name="TenantId">Ask as if the account were this tenant's alone.</param>
public sealed record TryAcceptanceRequest(
    string Owner, string? Region = null, IReadOnlyDictionary<string, string>? Tags = null, TenantId? TenantId = null);

/// <summary>What would be decided.</summary>
/// <param name="Verdict">accept, reject or leave.</param>
/// <param name="Rule">The rule that decides; no_rule where none fits.</param>
/// <param name="Reason">What the customer would read.</param>
/// <param name="PolicyVersion">The policy that was asked.</param>
/// <param name="TenantId">Whose the connection would be.</param>
/// <param name="PassedOver">The rules before, each with the first condition that does not hold.</param>
public sealed record TriedAcceptanceView(
    string Verdict, string Rule, string Reason, int PolicyVersion, TenantId? TenantId, IReadOnlyList<PassedOver> PassedOver);

internal static class OperatePolicy
{
    public static async Task<Ok<AcceptancePolicyView>> Show(SystemDb db, HttpContext http, CancellationToken cancel)
    {
        var (version, rules) = await AcceptancePolicy.Current(db, cancel);
        ETags.Show(http, version);
        return TypedResults.Ok(new AcceptancePolicyView(version, rules));
    }

    /// <summary>Pending connections are decided anew; what is settled stays.</summary>
    public static async Task<Results<Ok<AcceptancePolicyView>, Problem>> Replace(
        ReplaceAcceptancePolicyRequest request, SystemDb db, OperatorCaller caller, ReconcileSignal signal, HttpContext http,
        CancellationToken cancel)
    {
        var (version, _) = await AcceptancePolicy.Current(db, cancel);
        if (ETags.Check(http, version) is { } stale)
        {
            return stale;
        }

        if (AcceptanceRule.Faults(request.Rules, "/rules") is { Count: > 0 } faults)
        {
            return new Problem(Web.Problems.Refused, null, faults);
        }

        var rules = JsonSerializer.Serialize(request.Rules, Json.Api);
        var written = await db.Execute(
            $"""
            insert into onboarding.acceptance_policy_version (version, rules, made_by)
            values ({version + 1}, {rules}::jsonb, {caller.Principal}) on conflict (version) do nothing
            """,
            cancel);
        if (written == 0)
        {
            return Web.Problems.PreconditionFailed.With();
        }

        db.AfterCommit.Add(signal.Nudge);
        ETags.Show(http, version + 1);
        return TypedResults.Ok(new AcceptancePolicyView(version + 1, request.Rules));
    }

    /// <summary>Says what the policy would decide now about such a connection; decides nothing.</summary>
    public static async Task<Results<Ok<TriedAcceptanceView>, Problem>> Try(
        TryAcceptanceRequest request, SystemDb db, IOptions<ConnectionsOptions> options, TimeProvider clock, CancellationToken cancel)
    {
        if (!AwsAccount.IsNumber(request.Owner))
        {
            return Web.Problems.Refused.At("/owner", "not_allowed", "An AWS account has 12 digits.");
        }

        if (request.TenantId is { } tenant
            && await db.Scalar<int>($"select count(*)::int from onboarding.tenant where tenant_id = {tenant.Value}", cancel) == 0)
        {
            return Web.Problems.Refused.At("/tenantId", "unknown", "There is no such tenant.");
        }

        var policy = await AcceptancePolicy.Load(db, clock.GetUtcNow(), cancel);
        var passed = new List<PassedOver>();
        var candidate =
            new Candidate(
                request.Owner, request.Region ?? options.Value.Region,
                request.Tags ?? new Dictionary<string, string>(StringComparer.Ordinal));
        var decision = policy.Decide(candidate, request.TenantId?.Value, passed);
        return TypedResults.Ok(new TriedAcceptanceView(
            Wire.Name(decision.Verdict), decision.Rule, decision.Reason, decision.PolicyVersion!.Value,
            decision.BoundTenant is { } bound ? new TenantId(bound) : null, passed));
    }
}
