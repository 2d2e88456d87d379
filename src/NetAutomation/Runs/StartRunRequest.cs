using System.Text.Json;
using NetAutomation.Inventory;
using NetAutomation.Web;

namespace NetAutomation.Runs;

/// <summary>How a run is spread over its devices.</summary>
/// <param name="BatchSize">Devices at a time, in the order of the run; the next batch starts when the one before has ended.</param>
/// <param name="MaxFailures">With more failed devices than this no further batch starts: the rest stay not_started.</param>
public sealed record Rollout(int BatchSize, int? MaxFailures = null);

/// <summary>What to run.</summary>
/// <param name="Block">Slug of the block.</param>
/// <param name="Version">Exact, or a major; the newest entitled where omitted.</param>
/// <param name="Mode">check or apply; may be omitted for blocks that only read.</param>
/// <param name="Targets">Which devices.</param>
/// <param name="Input">Input by the block's schema.</param>
/// <param name="QuoteId">Starts what this quote planned; only startBy, maxPrice, labels and priority may then stand beside it.</param>
/// <param name="PlanId">Applies this plan as it was checked; only startBy may then stand beside it.</param>
/// <param name="MaxPrice">Refused with 402 above this.</param>
/// <param name="StartBy">Not started by then: expired, and free.</param>
/// <param name="TimeoutSeconds">
/// Hard limit of the run, 10 to 86400. Where omitted 600, or as long as the waves of its guard may take. A check has 3600 at most.
/// </param>
/// <param name="Rollout">How it is spread over the devices.</param>
/// <param name="Guard">Makes its changes go back unless they hold; with a block that writes, in apply mode.</param>
/// <param name="Priority">Among your own queued runs, higher ones start first; 0 to 9, 0 where omitted.</param>
/// <param name="Labels">Your own words for it, up to 20.</param>
public record StartRunRequest(
    string? Block = null,
    string? Version = null,
    RunMode? Mode = null,
    Targets? Targets = null,
    JsonElement? Input = null,
    QuoteId? QuoteId = null,
    PlanId? PlanId = null,
    Money? MaxPrice = null,
    DateTimeOffset? StartBy = null,
    int? TimeoutSeconds = null,
    Rollout? Rollout = null,
    Guard? Guard = null,
    Dictionary<string, string>? Labels = null,
    int? Priority = null)
{
    /// <summary>As it is stored beside what it was made into, which has members of its own.</summary>
    internal string Rest() => JsonSerializer.Serialize(
        this with { Block = null, Version = null, Mode = null, Targets = null, Input = null, QuoteId = null, PlanId = null }, Json.Api);

    /// <summary>As it was stored, for the same block, version, mode and input.</summary>
    internal static StartRunRequest Again(
        string rest, string block, string version, string effect, RunMode mode, IReadOnlyList<DeviceId> devices, JsonElement input) =>
        JsonSerializer.Deserialize<StartRunRequest>(rest, Json.Api)! with
        {
            Block = block,
            Version = version,
            Mode = effect == Wire.Name(Catalog.Effect.Read) ? null : mode,
            Targets = new Targets(DeviceIds: devices),
            Input = input,
        };
}
