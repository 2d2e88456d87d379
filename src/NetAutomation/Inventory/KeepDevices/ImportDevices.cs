using System.ComponentModel;
using System.Text.Json;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;
using NetAutomation.Inventory.Model;
using NetAutomation.Persistence;
using NetAutomation.Platforms;
using NetAutomation.Web;

namespace NetAutomation.Inventory.KeepDevices;

/// <summary>What an import did, or would do.</summary>
/// <param name="DryRun">True: nothing was written.</param>
/// <param name="Created">Names that were new.</param>
/// <param name="Updated">Names whose device changed.</param>
/// <param name="Unchanged">Names whose device already was so.</param>
public sealed record DeviceImportReply(bool DryRun, int Created, int Updated, int Unchanged);

/// <summary>
/// Upserts devices by name from CSV (RFC 4180), all or nothing. Columns: name, site, address, port, platform, credential, hostKeySha256,
/// labels (<c>key=value;key=value</c>), enabled, and one for each of the connection options. An absent column or an empty cell leaves a
/// device's value as it is.
/// </summary>
internal sealed class ImportDevices(NetAutomationDb db, IOptions<InventoryOptions> options, Caller caller, TimeProvider clock)
{
    public const string MediaType = "text/csv";
    private readonly List<ProblemError> _faults = [];
    private readonly Dictionary<DeviceId, int> _rows = [];

    /// <summary>Adds and changes devices from CSV, all or nothing.</summary>
    internal static async Task<Results<Ok<DeviceImportReply>, Problem>> Handle(
        HttpRequest request,
        [Description("True: check everything, write nothing.")] bool? dryRun,
        ImportDevices import,
        Caller caller,
        AuditLog audit,
        CancellationToken cancel)
    {
        var read = await ImportFile.Read(request.Body, cancel);
        if (read.Refused(out var problem, out var file))
        {
            return problem;
        }

        var done = await import.Apply(file, dryRun == true, cancel);
        if (done.Refused(out problem, out var reply))
        {
            return problem;
        }

        if (!reply.DryRun && reply.Created + reply.Updated > 0)
        {
            await audit.Append(caller, "device.imported", $"{caller.Tenant}", reply, cancel);
        }

        return TypedResults.Ok(reply);
    }

    private async Task<Outcome<DeviceImportReply>> Apply(ImportFile file, bool dryRun, CancellationToken cancel)
    {
        var names = file.Rows.Select(row => row.Name).ToList();
        var known = await db.Set<Device>().Where(device => names.Contains(device.Name))
            .ToDictionaryAsync(device => device.Name, StringComparer.Ordinal, cancel);
        var sites = await db.Set<Site>().AsNoTracking()
            .ToDictionaryAsync(site => site.Name, site => site.Id, StringComparer.Ordinal, cancel);
        var credentials = await db.Set<Credential>().AsNoTracking().Where(row => row.Kind != LoginKind.Secret)
            .Select(row => new { row.Name, row.Id })
            .ToDictionaryAsync(row => row.Name, row => row.Id, StringComparer.Ordinal, cancel);
        var platforms = await PlatformCatalog.All(db, cancel);
        var (created, updated) = (0, 0);
        foreach (var row in file.Rows)
        {
            var isKnown = known.TryGetValue(row.Name, out var device);
            var (facts, faults) = row.Over(device, sites, credentials).Check(row.At, options.Value.AllowLoopback, platforms);
            _faults.AddRange(row.Faults);
            _faults.AddRange(faults.Where(fault => row.Faults.TrueForAll(other => other.Pointer != fault.Pointer)));
            device ??= new Device(caller.Tenant, facts, clock.GetUtcNow());
            if (!known.TryAdd(row.Name, device) && _rows.TryGetValue(device.Id, out var first))
            {
                _faults.Add(
                    new ProblemError($"{row.At}/name", "duplicate", $"Row {row.Number}: the name stands twice, first in row {first}."));
                continue;
            }

            _rows[device.Id] = row.Number;
            created += isKnown ? 0 : 1;
            updated += isKnown && Device.Become(db.Entry(device), facts) ? 1 : 0;
        }

        await CheckAddresses(known.Values, cancel);
        if (_faults.Count > 0)
        {
            return new Problem(Web.Problems.Refused, "Nothing was imported.", [.. _faults.Take(1000)]);
        }

        if (!dryRun)
        {
            Device[] added = [.. known.Values.Where(device => db.Entry(device).State == EntityState.Detached)];
            await db.Execute(
                $"""
                select web.refuse_above(
                  {caller.Tenant.Value}, 'devices',
                  coalesce((select used from web.tenant_limit where tenant_id = {caller.Tenant.Value} and name = 'devices'), 0),
                  {(long)added.Length})
                """,
                cancel);
            await db.Execute($"set constraints inventory.device_address deferred", cancel);
            if (await DeviceResource.Rows.Save(db, cancel, () => Add(added, cancel)) is { } problem)
            {
                return problem;
            }
        }

        return new DeviceImportReply(dryRun, created, updated, file.Rows.Count - created - updated);
    }

    /// <summary>
    /// In one statement, which is counted once. The counter is taken after the rows that change, as by a request that deletes one.
    /// </summary>
    private Task<int> Add(IReadOnlyList<Device> added, CancellationToken cancel)
    {
        Guid[] ids = [.. added.Select(device => device.Id.Value)], sites = [.. added.Select(device => device.SiteId.Value)];
        Guid[] logins = [.. added.Select(device => device.CredentialId.Value)];
        string[] names = [.. added.Select(device => device.Name)], addresses = [.. added.Select(device => device.Address)];
        string[] platforms = [.. added.Select(device => device.Platform)];
        int[] ports = [.. added.Select(device => device.Port)];
        string?[] pins = [.. added.Select(device => device.HostKeySha256)];
        bool[] enabled = [.. added.Select(device => device.Enabled)];
        string[] labels = [.. added.Select(device => JsonSerializer.Serialize(device.Labels, Json.Api))];
        string[] connections = [.. added.Select(device => JsonSerializer.Serialize(device.ConnectionOptions, Json.Api))];
        return db.Execute(
            $"""
            insert into inventory.device (
              tenant_id, id, name, site_id, address, port, platform, credential_id, host_key_sha256, labels, enabled, connection_options,
              version, created_at)
            select {caller.Tenant.Value}, id, name, site, address, port, platform, login, pin, labels::jsonb, enabled, options::jsonb,
              1, {clock.GetUtcNow()}
            from unnest(
              {ids}, {names}, {sites}, {addresses}, {ports}, {platforms}, {logins}, {pins}, {labels}, {enabled}, {connections})
              as d (id, name, site, address, port, platform, login, pin, labels, enabled, options)
            """,
            cancel);
    }

    /// <summary>Within the file and against the devices that the file does not name.</summary>
    private async Task CheckAddresses(ICollection<Device> imported, CancellationToken cancel)
    {
        var addresses = imported.Select(device => device.Address).Distinct().ToList();
        var taken = await db.Set<Device>().AsNoTracking().Where(device => addresses.Contains(device.Address)).ToListAsync(cancel);
        var holders = taken.Where(device => !_rows.ContainsKey(device.Id)).ToDictionary(Place, device => device.Name);
        foreach (var device in imported.Where(device => device.SiteId != SiteId.None).OrderBy(device => _rows[device.Id]))
        {
            if (!holders.TryAdd(Place(device), device.Name))
            {
                var number = _rows[device.Id];
                _faults.Add(
                    new ProblemError(
                        $"/rows/{number}/address", "address_taken", $"Row {number}: {holders[Place(device)]} has this address and port."));
            }
        }
    }

    private static (SiteId Site, string Address, int Port) Place(Device device) => (device.SiteId, device.Address, device.Port);
}
