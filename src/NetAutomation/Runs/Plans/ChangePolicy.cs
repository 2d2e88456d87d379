using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Catalog;
using NetAutomation.Persistence;
using NetAutomation.Runs.Start;
using NetAutomation.Web;
using NetAutomation.Web.Http;

namespace NetAutomation.Runs.Plans;

/// <summary>Which writes need the approval of another member. What is left out fits every write.</summary>
/// <param name="Block">Slug of a block.</param>
/// <param name="Effect">What the block may do.</param>
/// <param name="Labels">Labels that a device among the targets has.</param>
/// <param name="Approvals">How many other members approve: 1.</param>
public sealed record ChangeRule(
    string? Block = null, Effect? Effect = null, Dictionary<string, string>? Labels = null, int Approvals = 1);

/// <summary>The rules; a write that any of them fits needs an approval.</summary>
/// <param name="Rules">Up to 50.</param>
public sealed record ChangePolicyBody(IReadOnlyList<ChangeRule> Rules)
{
    /// <summary>Shown as the ETag.</summary>
    [JsonIgnore]
    public int Version { get; init; } = 1;
}

/// <summary>A rule that fits a write.</summary>
/// <param name="Place">Where it stands in the policy, from 0 on.</param>
/// <param name="Device">Name of a device that has its labels; null where it names none.</param>
internal sealed record AskingRule(long Place, string Rule, string? Device)
{
    public string Text
    {
        get
        {
            var rule = JsonSerializer.Deserialize<ChangeRule>(Rule, Json.Api)!;
            var names = new[]
            {
                rule.Block is { } block ? $"block {block}" : null, rule.Effect is { } effect ? $"effect {Wire.Name(effect)}" : null,
                Device is null
                    ? null : $"labels {string.Join(", ", rule.Labels!.Select(label => $"{label.Key}={label.Value}"))} of {Device}",
            }.OfType<string>().DefaultIfEmpty("every write");
            return $"rules[{Place}] of GET /v1/change-policy fits: {string.Join("; ", names)}.";
        }
    }

    /// <param name="next">What is to be done.</param>
    public Problem Refusal(string next) =>
        Problems.ApprovalRequired.At(Device is null ? "/block" : "/targets", "approval_required", $"{Text} {next}");
}

internal static class ChangePolicy
{
    private const int Most = 50;

    /// <summary>The first rule that asks for an approval of this run; null where none does.</summary>
    public static Task<AskingRule?> Asking(NetAutomationDb db, TenantId tenant, RunPlan plan, CancellationToken cancel) =>
        plan.Mode == RunMode.Check || plan.Block.Effect == Effect.Read
            ? Task.FromResult<AskingRule?>(null)
            : Asking(
                db, tenant, plan.Block.Slug, Wire.Name(plan.Block.Effect), [.. plan.Devices.Select(device => device.DeviceId.Value)],
                cancel);

    /// <summary>The first rule that asks for an approval of a write; null where none does.</summary>
    public static async Task<AskingRule?> Asking(
        NetAutomationDb db, TenantId tenant, string block, string effect, Guid[] devices, CancellationToken cancel) =>
        (await db.Query<AskingRule>(
            $"select place, rule, device from runs.approval_rule({tenant.Value}, {block}, {effect}, {devices})", cancel)).FirstOrDefault();

    /// <summary>Which writes need the approval of another member.</summary>
    public static async Task<Ok<ChangePolicyBody>> Get(NetAutomationDb db, Caller caller, HttpContext http)
    {
        var policy = await Read(db, caller.Tenant, http.RequestAborted);
        ETags.Show(http, policy.Version);
        return TypedResults.Ok(policy);
    }

    /// <summary>Replaces the rules. They hold for every write that is asked for from now on, and for plans that were made before.</summary>
    public static async Task<Results<Ok<ChangePolicyBody>, Problem>> Put(
        ChangePolicyBody body, NetAutomationDb db, Caller caller, BlockCatalog catalog, AuditLog audit, HttpContext http)
    {
        var cancel = http.RequestAborted;
        db.SendWithNext(
            $"""
            insert into runs.change_policy (tenant_id, rules, version) values ({caller.Tenant.Value}, '[]', 1) on conflict do nothing
            """);
        await db.Execute($"select from runs.change_policy where tenant_id = {caller.Tenant.Value} for update", cancel);
        if (ETags.Check(http, (await Read(db, caller.Tenant, cancel)).Version) is { } stale)
        {
            return stale;
        }

        if (await Faults(body.Rules, db, catalog, cancel) is { Count: > 0 } faults)
        {
            return new Problem(Web.Problems.Refused, "The rules cannot be held to.", faults);
        }

        var rules = JsonSerializer.Serialize(body.Rules, Json.Api);
        db.SendWithNext(
            $"""
            update runs.change_policy set rules = {rules}::jsonb, version = version + 1 where tenant_id = {caller.Tenant.Value}
            """);
        await audit.Append(caller, "change_policy.set", $"{caller.Tenant}", body, cancel);
        return await Get(db, caller, http);
    }

    private static async Task<List<ProblemError>> Faults(
        IReadOnlyList<ChangeRule> rules, NetAutomationDb db, BlockCatalog catalog, CancellationToken cancel)
    {
        var faults = new List<ProblemError>();
        if (rules.Count > Most)
        {
            return [new ProblemError("/rules", "max_items", $"At most {Most} rules.")];
        }

        for (var i = 0; i < rules.Count; i++)
        {
            var rule = rules[i];
            if (rule.Approvals != 1)
            {
                faults.Add(new ProblemError($"/rules/{i}/approvals", "out_of_range", "One other member approves."));
            }

            if (rule.Effect == Effect.Read)
            {
                faults.Add(new ProblemError($"/rules/{i}/effect", "read_only", "A block that only reads needs no approval."));
            }

            // A rule for a block that is not there would be a rule that never holds.
            if (rule.Block is { } block && (await catalog.Find(db, block, cancel: cancel)).Problem?.Errors is [{ Code: "unknown_block" }])
            {
                faults.Add(new ProblemError($"/rules/{i}/block", "unknown_block", "There is no such block."));
            }

            if (rule.Labels?.Any(label => label.Key.Length == 0 || label.Value is null) == true)
            {
                faults.Add(new ProblemError($"/rules/{i}/labels", "label_key", "A label has a key and a value."));
            }
        }

        return faults;
    }

    private static async Task<ChangePolicyBody> Read(NetAutomationDb db, TenantId tenant, CancellationToken cancel) =>
        (await db.Query<Row>($"select rules, version from runs.change_policy where tenant_id = {tenant.Value}", cancel)) is [var row]
            ? new ChangePolicyBody(JsonSerializer.Deserialize<List<ChangeRule>>(row.Rules, Json.Api)!) { Version = row.Version }
            : new ChangePolicyBody([]);

    private sealed record Row(string Rules, int Version);
}
