using System.Text.Json;
using System.Text.Json.Serialization;

namespace NetAutomation.Runs;

/// <summary>A change that goes back unless it is confirmed in time, on each device; docs/guard.md.</summary>
/// <param name="ConfirmSeconds">
/// How long a change may wait for its confirmation, from the arming of its device, 10 to 3,600; 300 where omitted. A platform that counts
/// minutes rounds up.
/// </param>
/// <param name="Checks">What must hold before a wave is confirmed, beside a new login and the block's own verification; up to 20.</param>
/// <param name="Waves">
/// How many devices are changed by the end of each wave, as a number or as text with a percentage (<c>[1, "5%", "25%", "100%"]</c>), up to
/// 50; the rest makes a last one. Percentages are rounded up, and a wave of more than 25 devices is cut. Where omitted, the first wave
/// is one device.
/// </param>
/// <param name="MaxFailures">With more failed devices than this a wave goes back, and no further one starts; 0 where omitted.</param>
public sealed record Guard(
    int? ConfirmSeconds = null, IReadOnlyList<GuardCheck>? Checks = null, IReadOnlyList<JsonElement>? Waves = null,
    int? MaxFailures = null);

/// <summary>What a check looks at.</summary>
public enum GuardCheckType
{
    /// <summary>No routing neighbour that was up before is lost. Asked for or not; to say how many may be lost.</summary>
    Neighbors,

    /// <summary>No default route is lost. Asked for or not; to say how many may be lost.</summary>
    DefaultRoutes,

    /// <summary>All of it holds for some time.</summary>
    Soak,

    /// <summary>A block that only reads ends well on the device.</summary>
    Block,
}

/// <summary>Something that must hold before a change is confirmed.</summary>
/// <param name="Type">What it looks at.</param>
/// <param name="Lost">neighbors and default_routes: how many of a device may be lost, 0 to 1,000.</param>
/// <param name="Seconds">soak: for how long, 1 to 1,800.</param>
/// <param name="Block">block: the slug of a block that only reads; you need a right to run it, and it costs nothing here.</param>
/// <param name="Version">block: exact, or a major; the newest entitled where omitted.</param>
/// <param name="Input">block: its input, without secrets.</param>
public sealed record GuardCheck(
    GuardCheckType Type, int? Lost = null, int? Seconds = null, string? Block = null, string? Version = null, JsonElement? Input = null);

/// <summary>A guard as a run has it: everything in it is decided.</summary>
/// <param name="Asked">As it was asked for.</param>
/// <param name="ConfirmSeconds">How long a change may wait for its confirmation.</param>
/// <param name="SoakSeconds">For how long everything must hold.</param>
/// <param name="LostNeighbors">How many neighbours each device may lose.</param>
/// <param name="LostDefaultRoutes">How many default routes each device may lose.</param>
/// <param name="Blocks">Read blocks that must end well.</param>
/// <param name="Waves">How many devices are changed by the end of each wave, in the order of their positions.</param>
/// <param name="MaxFailures">With more failed devices than this a wave goes back, and no further one starts.</param>
/// <param name="WaveSeconds">How long the largest wave may take to its confirmation; null of a run from before this was kept.</param>
internal sealed record RunGuard(
    Guard Asked, int ConfirmSeconds, int SoakSeconds, int LostNeighbors, int LostDefaultRoutes, IReadOnlyList<GuardBlock> Blocks,
    IReadOnlyList<int> Waves, int MaxFailures, int? WaveSeconds = null)
{
    /// <summary>How long all waves may take, and the last one until its timer is over.</summary>
    [JsonIgnore]
    public int? LongestSeconds => (Waves.Count * WaveSeconds) + ConfirmSeconds;

    /// <summary>With less than this the last wave might not begin: no wave does with less than a timer left.</summary>
    [JsonIgnore]
    public int? LeastTimeout => LongestSeconds - WaveSeconds;

    /// <summary>How long a read block may take.</summary>
    public static readonly TimeSpan BlockLimit = TimeSpan.FromSeconds(60);
}

/// <summary>A read block of a guard, pinned.</summary>
/// <param name="Block">Slug.</param>
/// <param name="Version">Exact.</param>
/// <param name="Input">As it is run.</param>
internal sealed record GuardBlock(string Block, string Version, JsonElement Input);

/// <summary>What takes a change back.</summary>
public enum GuardKind
{
    /// <summary>The device itself, whatever is cut.</summary>
    Hard,

    /// <summary>The service, as soon as it reaches the device.</summary>
    Soft,
}

/// <summary>The guard of a run.</summary>
/// <param name="ConfirmSeconds">How long a change may wait for its confirmation, from the arming of its device.</param>
/// <param name="Checks">As they were asked for.</param>
/// <param name="Waves">How many devices are changed by the end of each wave, in the order of the run's devices.</param>
/// <param name="MaxFailures">With more failed devices than this a wave goes back, and no further one starts.</param>
/// <param name="LongestSeconds">How long all of them may take; null of a run from before this was counted.</param>
public sealed record GuardView(
    int ConfirmSeconds, IReadOnlyList<GuardCheck> Checks, IReadOnlyList<int> Waves, int MaxFailures, int? LongestSeconds)
{
    internal static GuardView? Of(string? guard) => guard is null ? null : Of(Json(guard));

    internal static GuardView? Of(RunGuard? guard) => guard is null
        ? null : new(
            guard.ConfirmSeconds, guard.Asked.Checks ?? [], guard.Waves, guard.MaxFailures, guard.LongestSeconds);

    internal static RunGuard Json(string guard) => JsonSerializer.Deserialize<RunGuard>(guard, Web.Json.Api)!;
}
