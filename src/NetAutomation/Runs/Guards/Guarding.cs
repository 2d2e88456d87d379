using System.Text.Json;
using NetAutomation.Catalog;
using NetAutomation.Inventory;
using NetAutomation.Persistence;
using NetAutomation.Purchasing;
using NetAutomation.Web;

namespace NetAutomation.Runs.Guards;

/// <summary>Makes the guard of a run of what was asked for, or says everything that is wrong with it.</summary>
internal sealed class Guarding(NetAutomationDb db, BlockCatalog catalog)
{
    /// <summary>Devices of a wave at most: so many share one sandbox, and are confirmed together.</summary>
    public const int LargestWave = 25;

    private const int UsualSeconds = 300;
    private const int MostWaves = 50;
    private const int MostChecks = 20;

    // Where neither the device nor its platform says otherwise (ansible.cfg, sandbox/init.py).
    private const int Login = 30;
    private const int Command = 30;
    private static readonly JsonElement _emptyInput = JsonElement.Parse("{}");

    // Nobody has said how many devices a mistake may reach before anything is known of it.
    private static readonly IReadOnlyList<JsonElement> _usualWaves = [JsonElement.Parse("1")];

    /// <summary>Null where none is asked for.</summary>
    /// <param name="changes">The run may change its devices.</param>
    public async Task<Outcome<RunGuard?>> Make(
        Guard? asked, bool changes, bool rollout, BlockVersion block, IReadOnlyList<TargetDevice> devices, TenantId tenant,
        CancellationToken cancel)
    {
        if (asked is null)
        {
            return changes && block.Effect == Effect.Transactional
                ? Problems.GuardNotApplicable.At("/guard", "required", "A transactional block needs a guard.") : (RunGuard?)null;
        }

        if (!changes)
        {
            return Problems.GuardNotApplicable.At("/guard", "guard_not_applicable", "Nothing is changed, so there is nothing to guard.");
        }

        if (rollout)
        {
            return Web.Problems.Refused.At("/rollout", "not_with_guard", "A guard has waves in place of a rollout.");
        }

        if (devices.FirstOrDefault(device => BlockInput.HasTasks(block, device.Platform)) is { } bare)
        {
            return Problems.GuardNotApplicable.At(
                "/guard", "guard_not_applicable",
                $"{block.Slug} does its work on {bare.Platform} by tasks of its own, which nothing takes back.");
        }

        var faults = Faults(asked);
        var waves = Waves(asked.Waves, devices.Count, faults);
        var blocks = await Blocks(asked, devices, tenant, faults, cancel);
        if (faults.Count > 0)
        {
            return new Problem(Web.Problems.Refused, "The guard cannot be held to.", faults);
        }

        var checks = asked.Checks ?? [];
        var soak = checks.FirstOrDefault(check => check.Type == GuardCheckType.Soak)?.Seconds ?? 0;
        var least = await Least(waves, soak, blocks.Count, devices, cancel);
        var seconds = asked.ConfirmSeconds ?? Math.Max(UsualSeconds, least);
        return seconds < least
            ? Problems.TimerTooShort.At(
                "/guard/confirmSeconds", "timer_too_short", $"A wave may take {least} seconds: confirmSeconds is {least} at least.")
            : new RunGuard(
                asked, seconds, soak, Lost(checks, GuardCheckType.Neighbors), Lost(checks, GuardCheckType.DefaultRoutes), blocks, waves,
                asked.MaxFailures ?? 0, least);
    }

    private static int Lost(IReadOnlyList<GuardCheck> checks, GuardCheckType type) =>
        checks.FirstOrDefault(check => check.Type == type)?.Lost ?? 0;

    private static List<ProblemError> Faults(Guard asked)
    {
        var faults = new List<ProblemError>();
        Bound(faults, "/guard/confirmSeconds", asked.ConfirmSeconds, 10, 3600);
        Bound(faults, "/guard/maxFailures", asked.MaxFailures, 0, 10_000);
        var checks = asked.Checks ?? [];
        if (checks.Count > MostChecks)
        {
            faults.Add(new ProblemError("/guard/checks", "max_items", $"At most {MostChecks} checks."));
        }

        for (var i = 0; i < checks.Count; i++)
        {
            var (at, check) = ($"/guard/checks/{i}", checks[i]);
            Bound(faults, $"{at}/lost", check.Lost, 0, 1000);
            Bound(faults, $"{at}/seconds", check.Seconds, 1, 1800);
            (string Name, bool Given, bool Wanted)[] members =
            [
                ("lost", check.Lost is not null, check.Type is GuardCheckType.Neighbors or GuardCheckType.DefaultRoutes),
                ("seconds", check.Seconds is not null, check.Type == GuardCheckType.Soak),
                ("block", check.Block is not null, check.Type == GuardCheckType.Block),
            ];
            foreach (var (name, given, wanted) in members)
            {
                if (given != wanted)
                {
                    faults.Add(new ProblemError(
                        $"{at}/{name}", wanted ? "required" : "not_here",
                        wanted ? $"{name} is required." : $"Not with a check of this type."));
                }
            }

            if (check.Type != GuardCheckType.Block && (check.Version is not null || check.Input is not null))
            {
                faults.Add(new ProblemError(at, "not_here", "version and input are of a block."));
            }

            if (check.Type != GuardCheckType.Block && checks.Take(i).Any(other => other.Type == check.Type))
            {
                faults.Add(new ProblemError(at, "twice", "There is a check of this type before."));
            }
        }

        return faults;
    }

    private static void Bound(List<ProblemError> faults, string at, int? value, int least, int most)
    {
        if (value < least || value > most)
        {
            faults.Add(new ProblemError(at, "out_of_range", $"It is {least} to {most:N0}."));
        }
    }

    /// <summary>How many devices are changed by the end of each wave.</summary>
    private static List<int> Waves(IReadOnlyList<JsonElement>? asked, int devices, List<ProblemError> faults)
    {
        var ends = new List<int>();
        if (asked is { Count: 0 or > MostWaves })
        {
            faults.Add(new ProblemError("/guard/waves", "max_items", $"1 to {MostWaves} waves."));
            return ends;
        }

        var (last, before) = (0, -1);
        foreach (var (i, wave) in (asked ?? _usualWaves).Index())
        {
            if (Size(wave, devices) is not (var end and > 0))
            {
                faults.Add(new ProblemError($"/guard/waves/{i}", "wave", "A wave is a number from 1 on, or 1% to 100% as text."));
                continue;
            }

            if (end < before)
            {
                faults.Add(new ProblemError($"/guard/waves/{i}", "wave", "A wave counts those before it, so it is not smaller."));
                continue;
            }

            before = end;
            Cut(ends, ref last, Math.Min(end, devices));
        }

        Cut(ends, ref last, devices);
        return ends;
    }

    private static void Cut(List<int> ends, ref int last, int end)
    {
        while (last < end)
        {
            last = Math.Min(end, last + LargestWave);
            ends.Add(last);
        }
    }

    /// <summary>0 where it is none.</summary>
    private static int Size(JsonElement wave, int devices) => wave.ValueKind switch
    {
        JsonValueKind.Number => wave.TryGetInt32(out var number) ? number : 0,
        JsonValueKind.String when wave.GetString() is [.. var digits, '%'] && int.TryParse(
            digits, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out var percent)
            && percent is >= 1 and <= 100 => (int)Math.Ceiling(devices * percent / 100m),
        _ => 0,
    };

    private async Task<List<GuardBlock>> Blocks(
        Guard asked, IReadOnlyList<TargetDevice> devices, TenantId tenant, List<ProblemError> faults, CancellationToken cancel)
    {
        var blocks = new List<GuardBlock>();
        foreach (var (i, check) in (asked.Checks ?? []).Index().Where(each => each.Item is { Type: GuardCheckType.Block, Block: not null }))
        {
            var at = $"/guard/checks/{i}";
            if ((await Version(check, tenant, cancel)).Refused(out var problem, out var version))
            {
                faults.Add(problem.Errors is [var first, ..]
                    ? first with { Pointer = at + first.Pointer } : new ProblemError($"{at}/block", "no_entitlement", problem.Detail!));
                continue;
            }

            var input = check.Input ?? _emptyInput;
            faults.AddRange(BlockInput.Validate(version, input).Select(fault => fault with { Pointer = at + fault.Pointer }));
            if (version.Effect != Effect.Read)
            {
                faults.Add(new ProblemError($"{at}/block", "not_read", "A check is a block that only reads."));
            }
            else if (devices.FirstOrDefault(device => !version.Platforms.Contains(device.Platform, StringComparer.Ordinal)) is { } other)
            {
                faults.Add(new ProblemError($"{at}/block", "platform_not_supported", $"{other.Name} is a {other.Platform} device."));
            }
            else if (faults.Count == 0 && BlockInput.Secrets(version, input).Count > 0)
            {
                faults.Add(new ProblemError($"{at}/input", "not_here", "A check has no secrets."));
            }

            blocks.Add(new GuardBlock(version.Slug, version.Version, CanonicalJson.Normal(input)));
        }

        return blocks;
    }

    private async Task<Outcome<BlockVersion>> Version(GuardCheck check, TenantId tenant, CancellationToken cancel)
    {
        if ((await catalog.Find(db, check.Block!, check.Version, null, cancel)).Refused(out var unknown, out var named))
        {
            return unknown;
        }

        return (await Entitlements.Find(db, tenant, check.Block!, check.Version is null ? null : named.Major, cancel))
            .Refused(out var unpaid, out var right)
            ? unpaid : right.Major == named.Major ? named : await catalog.Find(db, check.Block!, null, right.Major, cancel);
    }

    /// <summary>
    /// Seconds from arming to confirmation, where a device is as slow as it may be: the longest silence of a command, a new login, the soak
    /// time, the read blocks, and a second for every five devices that share the wave.
    /// </summary>
    private async Task<int> Least(
        List<int> waves, int soak, int blocks, IReadOnlyList<TargetDevice> devices, CancellationToken cancel)
    {
        Guid[] ids = [.. devices.Select(device => device.DeviceId.Value)];
        var slowest = await db.Scalar<int>(
            $"""
            select max(coalesce((connection_options ->> 'connectSeconds')::int, {Login})
              + coalesce((connection_options ->> 'commandSeconds')::int, {Command})) as "Value"
            from inventory.device where id = any ({ids})
            """,
            cancel);
        var largest = waves.Select((end, i) => end - (i == 0 ? 0 : waves[i - 1])).Max();
        return slowest + soak + (blocks * (int)RunGuard.BlockLimit.TotalSeconds) + ((largest + 4) / 5);
    }
}
