using Microsoft.Extensions.Options;
using NetAutomation.Persistence;

namespace NetAutomation.Connections.Reconciling;

/// <summary>
/// Keeps the principals that may see the endpoint service equal to the accounts of tenants that may connect. It removes a principal only
/// after the account's connections have ended, since EC2 may cut them. It leaves roles and users alone that a person allowed.
/// </summary>
internal sealed partial class AllowedPrincipals(
    SystemDb db, EndpointServiceApi api, IOptions<ConnectionsOptions> options, ILogger<AllowedPrincipals> log)
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
        var missing = wanted.Where(arn => !present.Contains(arn)).ToHashSet(StringComparer.Ordinal);
        var added = await Add(missing, cancel);
        await Remove(present, wanted, missing, cancel);

        // The registration page shows the service's name to these accounts, because EC2 lets them find it.
        string[] allowed =
            [.. accounts.Where(each => Of(each).All(arn => !missing.Contains(arn) || added.Contains(arn))).Select(each => each.Number)
                .Distinct()];
        await db.Execute(
            $"update onboarding.tenant_account set allowed_at = now() where active and allowed_at is null and account = any ({allowed})",
            cancel);
    }

    /// <summary>
    /// Returns the principals that EC2 took. It asks for refused ones, such as a closed account or a deleted role, more and more rarely.
    /// </summary>
    private async Task<HashSet<string>> Add(HashSet<string> missing, CancellationToken cancel)
    {
        if (missing.Count == 0)
        {
            return [];
        }

        // Stored before the call, so that a principal which a dead process allowed is still known as our own.
        string[] all = [.. missing];
        var due = await db.Query<string>(
            $"""
            insert into onboarding.allowed_principal as a (service_id, principal) select {Service}, p from unnest({all}) p
            on conflict (service_id, principal) do update set ask_at = a.ask_at where a.ask_at is null or a.ask_at <= now()
            returning principal
            """,
            cancel);
        var faults = await api.Allow(due, cancel);
        string[] names = [.. due];
        string?[] codes = [.. due.Select(name => faults.GetValueOrDefault(name))];
        await db.Execute(
            $"""
            update onboarding.allowed_principal a
            set fault = f.code, attempts = case when f.code is null then 0 else a.attempts + 1 end,
                ask_at = case when f.code is not null then now()
                  + least({options.Value.PendingInterval} * power(2, least(a.attempts, 20)), interval '1 hour') * (0.75 + random() / 4) end
            from unnest({names}, {codes}) as f(principal, code)
            where a.service_id = {Service} and a.principal = f.principal
            """,
            cancel);
        foreach (var (principal, code) in faults)
        {
            Log.Refused(log, principal, code);
        }

        Log.Added(log, due.Count - faults.Count);
        return [.. due.Where(arn => !faults.ContainsKey(arn))];
    }

    private async Task Remove(HashSet<string> present, HashSet<string> wanted, HashSet<string> missing, CancellationToken cancel)
    {
        var own = (await db.Query<string>($"select principal from onboarding.allowed_principal where service_id = {Service}", cancel))
            .ToHashSet(StringComparer.Ordinal);
        var connected = (await db.Query<string>(
            $"""
            select distinct owner from onboarding.endpoint_connection
            where service_id = {Service} and missed < {EndpointConnections.MissedUntilGone}
              and lower(state) in ('pendingacceptance', 'pending', 'available')
            """,
            cancel)).ToHashSet(StringComparer.Ordinal);

        // Add the replacement of a principal before removing it. EC2 rejects the connections of a removed principal, so a principal stays
        // while its account is connected, unless the whole account is allowed.
        var waiting = missing.Select(AccountOf).ToHashSet(StringComparer.Ordinal);
        var over = present.Union(own).Where(arn => !wanted.Contains(arn) && (IsRoot(arn) || own.Contains(arn))).ToList();
        var remove = over.Where(present.Contains).Where(arn => AccountOf(arn) is var account && !waiting.Contains(account)
            && (!connected.Contains(account) || wanted.Contains(Root(account)))).ToList();
        if (remove.Count > 0)
        {
            await api.Disallow(remove, cancel);
            Log.Removed(log, remove.Count);
        }

        string[] gone = [.. over.Where(arn => !present.Contains(arn))];
        await db.Execute($"delete from onboarding.allowed_principal where service_id = {Service} and principal = any ({gone})", cancel);
    }

    private IEnumerable<string> Of(Account account) => account.Principals.Length > 0 ? account.Principals : [Root(account.Number)];

    private string Root(string account) => $"arn:{options.Value.Partition}:iam::{account}:root";

    private static bool IsRoot(string arn) => arn.Split(':') is ["arn", _, "iam", "", _, "root"];

    private static string AccountOf(string arn) => arn.Split(':') is [_, _, _, _, var account, ..] ? account : "";

    private sealed record Account(string Number, string[] Principals);

    private static partial class Log
    {
        [LoggerMessage(901, LogLevel.Information, "{Count} principals allowed")]
        public static partial void Added(ILogger logger, int count);

        [LoggerMessage(905, LogLevel.Information, "{Count} principals no longer allowed")]
        public static partial void Removed(ILogger logger, int count);

        [LoggerMessage(906, LogLevel.Warning, "EC2 did not allow {Principal}: {Code}")]
        public static partial void Refused(ILogger logger, string principal, string code);
    }
}
