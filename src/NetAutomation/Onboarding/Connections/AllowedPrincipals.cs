using Microsoft.Extensions.Options;
using NetAutomation.Persistence;

namespace NetAutomation.Onboarding.Connections;

/// <summary>
/// Keeps the principals that may see the endpoint service equal to the accounts of tenants that may connect. An account is let go only
/// after its connections, since removing a principal may cut them. Roles and users that a person allowed are left alone.
/// </summary>
internal sealed partial class AllowedPrincipals(SystemDb db, EndpointServiceApi api, IOptions<OnboardingOptions> options, ILogger<AllowedPrincipals> log)
{
    private string Service => options.Value.ServiceId;

    public async Task Keep(CancellationToken cancel)
    {
        var accounts = await db.Query<Account>(
            $"""
            select a.account as number, a.principals from onboarding.tenant_account a join onboarding.tenant t using (tenant_id)
            where a.active and (t.state in ('active', 'suspended') or t.reads_until > now())
            """,
            cancel);
        var wanted = accounts.SelectMany(Of).ToHashSet(StringComparer.Ordinal);
        var present = await api.Principals(cancel);
        var faults = await Add([.. wanted.Where(arn => !present.Contains(arn))], cancel);
        await Remove(present, wanted, [.. accounts.Select(each => each.Number)], cancel);

        string[] allowed = [.. accounts.Where(each => !Of(each).Any(faults.ContainsKey)).Select(each => each.Number).Distinct()];
        await db.Execute($"update onboarding.tenant_account set allowed_at = now() where active and allowed_at is null and account = any ({allowed})", cancel);
    }

    private async Task<Dictionary<string, string>> Add(string[] add, CancellationToken cancel)
    {
        if (add.Length == 0)
        {
            return [];
        }

        // Noted before they are allowed: what a dead process had allowed is still known as our own.
        string[] own = [.. add.Where(arn => !IsRoot(arn))];
        await db.Execute(
            $"insert into onboarding.allowed_principal (service_id, principal) select {Service}, p from unnest({own}) p on conflict (service_id, principal) do nothing", cancel);
        var faults = await api.Allow(add, cancel);
        string[] names = [.. own.Where(faults.ContainsKey)];
        string[] codes = [.. names.Select(name => faults[name])];
        await db.Execute(
            $"""
            update onboarding.allowed_principal a set fault = f.code from unnest({names}, {codes}) as f(principal, code)
            where a.service_id = {Service} and a.principal = f.principal
            """,
            cancel);
        foreach (var (principal, code) in faults)
        {
            Log.Refused(log, principal, code);
        }

        Log.Added(log, add.Length - faults.Count);
        return faults;
    }

    private async Task Remove(HashSet<string> present, HashSet<string> wanted, HashSet<string> accounts, CancellationToken cancel)
    {
        var own = (await db.Query<string>($"select principal from onboarding.allowed_principal where service_id = {Service}", cancel)).ToHashSet(StringComparer.Ordinal);
        var connected = (await db.Query<string>(
            $"""
            select distinct owner from onboarding.endpoint_connection
            where service_id = {Service} and missed < {EndpointConnections.MissedUntilGone} and lower(state) in ('pending', 'available')
            """,
            cancel)).ToHashSet(StringComparer.Ordinal);
        var over = present.Union(own).Where(arn => !wanted.Contains(arn) && (IsRoot(arn) || own.Contains(arn))).ToList();
        var remove = over.Where(present.Contains).Where(arn => accounts.Contains(AccountOf(arn)) || !connected.Contains(AccountOf(arn))).ToList();
        if (remove.Count > 0)
        {
            await api.Disallow(remove, cancel);
            Log.Removed(log, remove.Count);
        }

        string[] gone = [.. over.Where(arn => !present.Contains(arn))];
        await db.Execute($"delete from onboarding.allowed_principal where service_id = {Service} and principal = any ({gone})", cancel);
    }

    private static IEnumerable<string> Of(Account account) => account.Principals.Length > 0 ? account.Principals : [$"arn:aws:iam::{account.Number}:root"];

    private static bool IsRoot(string arn) => arn.StartsWith("arn:aws:iam::", StringComparison.Ordinal) && arn.EndsWith(":root", StringComparison.Ordinal);

    private static string AccountOf(string arn) => arn.Split(':') is [_, _, _, _, var account, ..] ? account : "";

    private sealed record Account(string Number, string[] Principals);

    private static partial class Log
    {
        [LoggerMessage(301, LogLevel.Information, "{Count} principals allowed")]
        public static partial void Added(ILogger logger, int count);

        [LoggerMessage(306, LogLevel.Information, "{Count} principals no longer allowed")]
        public static partial void Removed(ILogger logger, int count);

        [LoggerMessage(307, LogLevel.Warning, "EC2 did not allow {Principal}: {Code}")]
        public static partial void Refused(ILogger logger, string principal, string code);
    }
}
