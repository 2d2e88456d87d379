using NetAutomation.Connectors;
using NetAutomation.Execution.Sandbox;
using NetAutomation.Inventory;
using NetAutomation.Persistence;
using NetAutomation.Runs;
using NetAutomation.Web;

namespace NetAutomation.Execution.Probe;

/// <summary>Who asked for a test.</summary>
/// <param name="Principal">The API key.</param>
internal sealed record Tester(TenantId Tenant, string Principal, string Member, string? EndpointId);

/// <summary>How far a login to a device came.</summary>
/// <param name="Stage">connector, allow_list, tcp, ssh or auth; null where nothing was tried.</param>
/// <param name="Holder">The run that has the device for itself.</param>
/// <param name="Message">What stopped it, and what helps.</param>
internal sealed record TestedDevice(
    DeviceId Device, bool Reachable, string? Stage, string? Code = null, int? RttMs = null, string? HostKeySha256 = null,
    RunId? Holder = null, string? Message = null);

/// <summary>
/// Logs in to devices outside a run. A device that a run which writes has for itself is left alone. The first success pins the host key.
/// </summary>
internal sealed partial class DeviceTester(
    NetAutomationDb db, DeviceAccess access, DeviceDialler dialler, ISandboxLauncher launcher, AuditLog audit, TimeProvider clock,
    RunMetrics metrics, ILogger<DeviceTester> log)
{
    // For the sandbox around a login.
    private static readonly TimeSpan _aroundLogin = TimeSpan.FromSeconds(10);

    /// <summary>One result for each device. At most as many as one sandbox takes.</summary>
    /// <param name="limit">How long it may take, more where a device's own options say so.</param>
    /// <param name="alone">A customer looks at this device alone: the audit log says so, and a disabled device is tested, too.</param>
    public async Task<IReadOnlyList<TestedDevice>> Test(
        Tester by, IReadOnlyCollection<DeviceId> devices, bool alone, TimeSpan limit, CancellationToken cancel)
    {
        var refused = await Refused(by.Tenant, devices, alone, cancel);
        var logins = await Open(by.Tenant, [.. devices.Where(device => !refused.ContainsKey(device))], cancel);
        var probes = await Probe(by.Tenant, logins, limit, cancel);
        var tested = await Record(by, logins, probes, alone, cancel);
        return [.. devices.Select(device => tested.GetValueOrDefault(device) ?? refused.GetValueOrDefault(device) ?? Deleted(device))];
    }

    private static TestedDevice Deleted(DeviceId device) =>
        new(device, false, null, DeviceCode.DeviceDeleted, Message: "The device was deleted meanwhile.");

    private static TestedDevice InUse(DeviceId device, RunId? holder) =>
        new(device, false, null, DeviceCode.DeviceInUse, Holder: holder, Message: holder is null
            ? "A run that writes has taken the device meanwhile." : $"The run {holder} has the device for itself until it ends.");

    /// <summary>The devices that are not dialled, with the reason.</summary>
    private async Task<Dictionary<DeviceId, TestedDevice>> Refused(
        TenantId tenant, IReadOnlyCollection<DeviceId> devices, bool alone, CancellationToken cancel)
    {
        IReadOnlyList<TargetDevice> found;
        IReadOnlyDictionary<DeviceId, RunId> holders;
        await using (await db.Begin(tenant, cancel))
        {
            found = await TargetResolver.Find(db, devices, cancel);
            holders = await DeviceHolds.Writers(db, tenant, devices, cancel);
        }

        var linked = new HashSet<SiteId>();
        foreach (var site in found.Select(device => device.SiteId).Distinct())
        {
            if (await dialler.HasLink(tenant, site, cancel))
            {
                linked.Add(site);
            }
        }

        var known = found.ToDictionary(device => device.DeviceId);
        var refused = new Dictionary<DeviceId, TestedDevice>();
        foreach (var id in devices)
        {
            var reason = !known.TryGetValue(id, out var device) ? Deleted(id)
                : !device.Enabled && !alone ? new TestedDevice(
                    id, false, null, DeviceCode.DeviceDisabled, Message: "The device is disabled; test it alone, or enable it.")
                : holders.TryGetValue(id, out var holder) ? InUse(id, holder)
                : !linked.Contains(device.SiteId) ? new TestedDevice(
                    id, false, "connector", DeviceCode.ConnectorAbsent, Message: "No connector of the device's site is attached.")
                : null;
            if (reason is not null)
            {
                refused[id] = reason;
            }
        }

        return refused;
    }

    private async Task<IReadOnlyList<DeviceLogin>> Open(TenantId tenant, DeviceId[] devices, CancellationToken cancel)
    {
        if (devices.Length == 0)
        {
            return [];
        }

        await using var transaction = await db.Begin(tenant, cancel);
        return await access.Open(db, devices, cancel);
    }

    private async Task<IReadOnlyList<ProbeResult>> Probe(
        TenantId tenant, IReadOnlyList<DeviceLogin> logins, TimeSpan limit, CancellationToken cancel)
    {
        if (logins.Count == 0)
        {
            return [];
        }

        SandboxDevice[] devices = [.. logins.Select(SandboxDevice.Of)];
        var slowest = TimeSpan.FromSeconds(logins.Max(login => login.Options.ConnectSeconds ?? 0)) + _aroundLogin;
        var dials = devices.Zip(logins).ToDictionary(
            pair => pair.First.Name,
            pair => DeviceDial.OutsideRuns(tenant, pair.Second.SiteId, pair.Second.DeviceId, pair.Second.Address, pair.Second.Port),
            StringComparer.Ordinal);
        foreach (var login in logins)
        {
            login.Dispose();
        }

        try
        {
            return await launcher.Probe(
                devices, (name, token) => DeviceStream.Open(dialler, dials[name], clock, token), limit > slowest ? limit : slowest,
                cancel);
        }
        catch (SandboxFailedException fault)
        {
            Log.NoSandbox(log, fault);
            metrics.SandboxFault("not_started");
            return [.. devices.Select(device => new ProbeResult(
                device.Name, false, null, DeviceCode.SandboxFailed, null, null, null, SandboxFailedException.Advice))];
        }
    }

    private async Task<Dictionary<DeviceId, TestedDevice>> Record(
        Tester by, IReadOnlyList<DeviceLogin> logins, IReadOnlyList<ProbeResult> probes, bool alone, CancellationToken cancel)
    {
        var tested = new Dictionary<DeviceId, TestedDevice>();
        if (logins.Count == 0)
        {
            return tested;
        }

        await using var transaction = await db.Begin(by.Tenant, cancel);
        // A run that came in the middle has cut the session, which looks like a fault of the device.
        var holders = await DeviceHolds.Writers(db, by.Tenant, logins.Select(login => login.DeviceId), cancel);
        foreach (var (login, probe) in logins.Zip(probes))
        {
            var id = login.DeviceId;
            var result = probe.Reachable || (probe.Code != DeviceCode.DeviceInUse && !holders.ContainsKey(id))
                ? new TestedDevice(
                    id, probe.Reachable, Stage(probe), probe.Code, probe.RttMs, probe.HostKeySha256, Message: probe.Message)
                : InUse(id, holders.TryGetValue(id, out var holder) ? holder : null);
            tested[id] = result;
            await Pin(by, login, probe, cancel);
            if (probe.Pending is { } held && login.Pending is { } pending)
            {
                DeviceAccess.Settle(db, by.Tenant, new PasswordVerdict(pending.Id, held));
            }

            if (alone)
            {
                await audit.Append(
                    by.Tenant, by.Principal, by.Member, by.EndpointId, "device.tested", $"{id}",
                    new { result.Reachable, result.Stage, result.Code }, cancel);
            }
        }

        await transaction.CommitAsync(cancel);
        return tested;
    }

    private async Task Pin(Tester by, DeviceLogin login, ProbeResult probe, CancellationToken cancel)
    {
        if (probe is not { Reachable: true, HostKeySha256: { } sha256, HostKey: { } hostKey } || login.HostKey is not null)
        {
            return;
        }

        if (await DeviceAccess.PinHostKey(db, login.DeviceId, sha256, hostKey, cancel) && login.HostKeySha256 is null)
        {
            await audit.Append(
                by.Tenant, by.Principal, by.Member, by.EndpointId, "device.pinned", $"{login.DeviceId}", new { HostKeySha256 = sha256 },
                cancel);
        }
    }

    private static string? Stage(ProbeResult probe) => probe.Code switch
    {
        DeviceCode.NotAllowed => "allow_list",
        DeviceCode.ConnectorAbsent => "connector",
        _ => probe.Stage,
    };

    private static partial class Log
    {
        [LoggerMessage(811, LogLevel.Error, "Devices could not be tested")]
        public static partial void NoSandbox(ILogger logger, Exception exception);
    }
}
