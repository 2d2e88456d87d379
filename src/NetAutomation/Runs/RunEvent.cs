using System.Text.Json;
using NetAutomation.History;
using NetAutomation.Inventory;
using NetAutomation.Web;

namespace NetAutomation.Runs;

/// <summary>An event of a run. The journal gives it its number.</summary>
/// <param name="Type">device_started, task, output, guard, wave or device_outcome.</param>
/// <param name="Data">A JSON object. That of a device_outcome is made when it is written.</param>
/// <param name="Report">With device_outcome: the outcome, written together with the event.</param>
/// <param name="Guard">With guard: what is written together with the event.</param>
internal sealed record RunEvent(
    DateTimeOffset Time, string Type, DeviceId? Device, string Data, DeviceReport? Report = null, GuardStep? Guard = null)
{
    /// <summary>The event of a step of a guard.</summary>
    public static RunEvent Of(DateTimeOffset time, GuardStep step) => new(
        time, "guard", step.Device, JsonSerializer.Serialize(new { step.Step, Guard = step.Kind, step.By, step.RevertsAt }, Json.Api),
        Guard: step);

    /// <summary>The event of a device's final outcome.</summary>
    public static RunEvent Of(DateTimeOffset time, DeviceReport report) => new(time, "device_outcome", report.Device, "{}", report);
}

/// <summary>What a guard did on one device.</summary>
/// <param name="Step">planned, armed, reverting, confirmed or reverted.</param>
/// <param name="Kind">What takes the change back; null where nobody knows.</param>
/// <param name="By">What was armed, in words.</param>
/// <param name="RevertsAt">When the device has gone back by itself at the latest.</param>
internal sealed record GuardStep(DeviceId Device, string Step, GuardKind? Kind = null, string? By = null, DateTimeOffset? RevertsAt = null)
{
    public const string Reverting = "reverting";
}

/// <summary>A file a block made on one device.</summary>
internal sealed record ArtifactFile(string Name, string MediaType, byte[] Content);

/// <summary>The outcome of one device, with its details.</summary>
/// <param name="Changed">Null where it is not known: a failed device may have changed.</param>
/// <param name="Contacted">A stream to the device was opened.</param>
internal sealed record DeviceReport(
    DeviceId Device, DeviceOutcome Outcome, bool? Changed, bool Contacted, string? Code, string? Message, string? ResultJson, string? Diff,
    string? BeforeHash, string? AfterHash, IReadOnlyList<ArtifactFile> Artifacts)
{
    /// <summary>What the run found out about the password that it gave the device; null where it gave none, or that is open.</summary>
    public PasswordVerdict? Password { get; init; }

    /// <summary>Configurations of the device; null where none was read.</summary>
    public DeviceTexts? Texts { get; init; }
}
