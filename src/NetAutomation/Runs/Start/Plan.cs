using System.Collections.Immutable;
using System.Text.Json;
using NetAutomation.Billing;
using NetAutomation.Catalog;
using NetAutomation.History;
using NetAutomation.Inventory;
using NetAutomation.Persistence;
using NetAutomation.Platforms;
using NetAutomation.Purchasing;
using NetAutomation.Runs.Guards;
using NetAutomation.Web;
using NetAutomation.Web.Evaluation;

namespace NetAutomation.Runs.Start;

/// <summary>A block, its devices and the highest price. Everything in it is pinned.</summary>
/// <param name="Secrets">The versions of the secrets in the input by the ids of their credentials.</param>
/// <param name="Guard">How its changes go back; null where they do not.</param>
internal sealed record RunPlan(
    BlockVersion Block, IReadOnlyDictionary<string, string> Platforms, RunMode Mode, Targets Targets, IReadOnlyList<TargetDevice> Devices,
    JsonElement Input, IReadOnlyDictionary<CredentialId, int> Secrets, string InputHash, EntitlementId Entitlement,
    IReadOnlyList<PriceLine> Lines, int TimeoutSeconds, RunGuard? Guard)
{
    /// <summary>The digest of the devices' platform; where they have several, one over all of them, by name.</summary>
    public string PlatformDigest => Platforms.Count == 1
        ? Platforms.Values.Single() : CanonicalJson.Hash(JsonSerializer.SerializeToElement(Platforms, Json.Api));

    public Money Ceiling => UsageLedger.Total(Lines);

    /// <summary>Hash over everything that decides the effect and the price.</summary>
    public string Digest => CanonicalJson.Hash(JsonSerializer.SerializeToElement(
        new
        {
            Block = Block.Slug, Block.Version, Block.Digest, Platforms, Mode, Devices = Devices.Select(device => device.DeviceId),
            InputHash, Lines, TimeoutSeconds
        }, Json.Api));
}

/// <summary>Turns a request into a plan, or says everything that is wrong with it.</summary>
internal sealed class Planner(
    NetAutomationDb db, BlockCatalog catalog, PlatformCatalog platforms, DeviceAccess access, Evaluations evaluations, Guarding guarding,
    ConfigHistory history)
{
    private const int UsualTimeout = 600;
    private const int LongestTimeout = 86400;

    // A check costs nothing but a worker's time.
    private const int LongestCheck = 3600;
    private static readonly JsonElement _emptyInput = JsonElement.Parse("{}");

    public async Task<Outcome<RunPlan>> Plan(StartRunRequest body, Caller caller, CancellationToken cancel)
    {
        if (Missing(body) is { } missing)
        {
            return missing;
        }

        var (major, exact) = ReadVersion(body.Version);
        if ((await catalog.Find(db, body.Block!, body.Version, null, cancel)).Refused(out var unknown, out var named))
        {
            return unknown;
        }

        if ((await Entitlements.Find(db, caller.Tenant, body.Block!, major ?? (exact ? named.Major : null), cancel))
            .Refused(out var unpaid, out var right))
        {
            return unpaid;
        }

        var block = named;
        if (!exact && named.Major != right.Major
            && (await catalog.Find(db, body.Block!, null, right.Major, cancel)).Refused(out var withdrawn, out block))
        {
            return withdrawn;
        }

        if (ReadMode(body.Mode, block.Effect).Refused(out var refusedMode, out var mode))
        {
            return refusedMode;
        }

        var input = body.Input ?? _emptyInput;
        if (BlockInput.Validate(block, input) is { Count: > 0 } faults)
        {
            return new Problem(Web.Problems.Refused, "The input does not fit the block's schema.", faults);
        }

        // What runs, is hashed and is shown again has 4 for 4.0, which Ansible would take for a float.
        input = CanonicalJson.Normal(input);
        if ((await TargetResolver.Resolve(db, evaluations, body.Targets!, cancel)).Refused(out var untargetable, out var devices))
        {
            return untargetable;
        }

        if (Unfit(block, devices) is { Count: > 0 } unfit)
        {
            return new Problem(Web.Problems.Refused, "A device cannot be a target of this block.", unfit);
        }

        if (await Unrestorable(block, input, devices, caller.Tenant, cancel) is { } unrestorable)
        {
            return unrestorable;
        }

        var changes = mode == RunMode.Apply && block.Effect != Effect.Read;
        if ((await guarding.Make(body.Guard, changes, body.Rollout is not null, block, devices, caller.Tenant, cancel))
            .Refused(out var unguarded, out var guard))
        {
            return unguarded;
        }

        if (Timeout(body.TimeoutSeconds, mode, guard).Refused(out var untimely, out var timeout))
        {
            return untimely;
        }

        var pinned = await platforms.Pin(db, devices.Select(device => device.Platform), cancel);
        if ((await Secrets(block, input, pinned, cancel)).Refused(out var unusable, out var secrets))
        {
            return unusable;
        }

        var lines =
            await PriceList.Lines(db, block.Slug, Wire.Name(mode), right.Included, devices.Length, TimeSpan.FromSeconds(timeout), cancel);
        var digests = pinned.ToImmutableSortedDictionary(platform => platform.Name, platform => platform.Digest, StringComparer.Ordinal);
        return new RunPlan(
            block, digests, mode, body.Targets!, devices, input, secrets, BlockInput.Hash(block, input, secrets), right.Id, lines, timeout,
            guard);
    }

    /// <summary>The limit of the run in seconds: one in which every wave of its guard may begin.</summary>
    private static Outcome<int> Timeout(int? asked, RunMode mode, RunGuard? guard)
    {
        if (asked is < 10 or > LongestTimeout)
        {
            return Web.Problems.Refused.At("/timeoutSeconds", "out_of_range", $"The limit is 10 to {LongestTimeout} seconds.");
        }

        if (guard?.LeastTimeout is { } least && least > (asked ?? LongestTimeout))
        {
            var waves = $"{guard.Waves.Count} waves of up to {guard.WaveSeconds} seconds, with a timer of {guard.ConfirmSeconds}, "
                + $"may need {least} seconds";
            return least > LongestTimeout
                ? Web.Problems.Refused.At(
                    "/guard/waves", "out_of_range",
                    $"{waves}, and a run has {LongestTimeout} at most: name fewer devices, larger waves, or a shorter soak time.")
                : Web.Problems.Refused.At("/timeoutSeconds", "out_of_range", $"{waves}: the limit is that at least.");
        }

        var timeout = asked ?? Math.Clamp(guard?.LongestSeconds ?? UsualTimeout, UsualTimeout, LongestTimeout);
        return mode == RunMode.Check ? Math.Min(timeout, LongestCheck) : timeout;
    }

    /// <summary>The versions of the input's secrets, or what of the input cannot be put on these platforms.</summary>
    private async Task<Outcome<Dictionary<CredentialId, int>>> Secrets(
        BlockVersion block, JsonElement input, IReadOnlyList<PlatformVersion> pinned, CancellationToken cancel)
    {
        var secrets = await access.OpenSecrets(db, BlockInput.Secrets(block, input), cancel);
        var texts = secrets.ToDictionary(secret => secret.Key, secret => secret.Value.Reveal());
        var faults = BlockInput.Unusable(block, input, id => texts.GetValueOrDefault(id), pinned);
        return faults.Count > 0
            ? new Problem(Web.Problems.Refused, "The input cannot be put on these devices.", faults)
            : secrets.ToDictionary(secret => secret.Key, secret => secret.Value.Version);
    }

    /// <summary>A configuration is of one device, and means something on the platform that it was read on alone.</summary>
    private async Task<Problem?> Unrestorable(
        BlockVersion block, JsonElement input, IReadOnlyList<TargetDevice> devices, TenantId tenant, CancellationToken cancel)
    {
        if (BlockInput.Restored(block, input) is not { } config)
        {
            return null;
        }

        return await history.Owner(tenant, config, cancel) is not { } owner
            ? Web.Problems.Refused.At("/input/configId", "unknown_config", "There is no such configuration; it may have been forgotten.")
            : devices.FirstOrDefault(device => device.DeviceId != owner.DeviceId) is { } other
            ? Web.Problems.Refused.At("/input/configId", "other_device", $"The configuration is not one of {other.Name}.")
            : devices.FirstOrDefault(device => device.Platform != owner.Platform) is { } now
            ? Web.Problems.Refused.At(
                "/input/configId", "other_platform",
                $"The configuration is one of {owner.Platform}, and {now.Name} is a {now.Platform} device now.")
            : null;
    }

    private static Problem? Missing(StartRunRequest body)
    {
        var errors = new List<ProblemError>();
        if (body.Block is null)
        {
            errors.Add(new ProblemError("/block", "required", "The slug of a block is required."));
        }

        if (body.Targets is null)
        {
            errors.Add(new ProblemError("/targets", "required", "The targets are required."));
        }

        return errors.Count > 0 ? new Problem(Web.Problems.Malformed, "A member is missing.", errors) : null;
    }

    private static (int? Major, bool Exact) ReadVersion(string? version) =>
        version is null ? (null, false) : int.TryParse(version, out var major) ? (major, false) : (null, true);

    private static Outcome<RunMode> ReadMode(RunMode? mode, Effect effect)
    {
        if (effect == Effect.Read)
        {
            return mode == RunMode.Check
                ? Problems.ModeNotSupported.At(
                    "/mode", "mode_not_supported", "A read block changes nothing, so there is nothing to check.") : RunMode.Apply;
        }

        return mode is { } given
            ? given
                : new Problem(
                    Web.Problems.Malformed, "A member is missing.", [new ProblemError("/mode", "required", "check or apply is required.")]);
    }

    private static List<ProblemError> Unfit(BlockVersion block, IReadOnlyList<TargetDevice> devices) =>
    [
        .. devices.Where(device => !block.Platforms.Contains(device.Platform, StringComparer.Ordinal))
            .Select(device => new ProblemError("/targets", "platform_not_supported", $"{device.Name} is a {device.Platform} device.")),
        .. devices.Where(device => !device.HostKeyPinned)
            .Select(
                device =>
                    new ProblemError(
                        "/targets", "host_key_not_pinned",
                        $"{device.Name} has no pinned host key: test it first (POST /v1/devices:test), or give hostKeySha256.")),
    ];
}
