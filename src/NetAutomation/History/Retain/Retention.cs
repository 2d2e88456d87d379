using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Persistence;
using NetAutomation.Web;
using NetAutomation.Web.Http;

namespace NetAutomation.History.Retain;

/// <summary>How long configurations are kept. The newest of a device always is.</summary>
/// <param name="Days">1 to 3,650.</param>
/// <param name="Configs">The most of each device, 1 to 10,000.</param>
public sealed record ConfigRetention(int Days, int Configs)
{
    /// <summary>Shown as the ETag.</summary>
    [JsonIgnore]
    public int Version { get; init; }
}

internal static class Retention
{
    /// <summary>Where a tenant said nothing else: a year and a month, so that a yearly audit finds both ends.</summary>
    public static readonly ConfigRetention Usual = new(396, 1000) { Version = 1 };

    /// <summary>How long configurations are kept.</summary>
    internal static async Task<Ok<ConfigRetention>> Show(NetAutomationDb db, Caller caller, HttpContext http, CancellationToken cancel)
    {
        var kept = await Of(db, caller.Tenant, cancel);
        ETags.Show(http, kept.Version);
        return TypedResults.Ok(kept);
    }

    /// <summary>Keeps configurations longer or shorter; what is beyond goes within an hour or so.</summary>
    internal static async Task<Results<Ok<ConfigRetention>, Problem>> Put(
        ConfigRetention body, NetAutomationDb db, Caller caller, AuditLog audit, HttpContext http, CancellationToken cancel)
    {
        // One after the other, also where there is no row yet.
        await db.Execute(
            $"""
            insert into history.retention (tenant_id, days, configs, version)
            values ({caller.Tenant.Value}, {Usual.Days}, {Usual.Configs}, {Usual.Version})
            on conflict (tenant_id) do update set version = retention.version
            """,
            cancel);
        if (ETags.Check(http, (await Of(db, caller.Tenant, cancel)).Version) is { } stale)
        {
            return stale;
        }

        if (body.Days is < 1 or > 3650)
        {
            return Web.Problems.Refused.At("/days", "out_of_range", "1 to 3650 days.");
        }

        if (body.Configs is < 1 or > 10_000)
        {
            return Web.Problems.Refused.At("/configs", "out_of_range", "1 to 10000 configurations of a device.");
        }

        await db.Execute(
            $"""
            update history.retention set days = {body.Days}, configs = {body.Configs}, version = version + 1, changed_at = now()
            where tenant_id = {caller.Tenant.Value}
            """,
            cancel);
        await audit.Append(caller, "config_retention.set", $"{caller.Tenant}", body, cancel);
        return await Show(db, caller, http, cancel);
    }

    /// <summary>What holds for a tenant.</summary>
    internal static async Task<ConfigRetention> Of(NetAutomationDb db, TenantId tenant, CancellationToken cancel) =>
        (await db.Query<ConfigRetention>(
            $"select days, configs, version from history.retention where tenant_id = {tenant.Value}", cancel)).FirstOrDefault() ?? Usual;
}
