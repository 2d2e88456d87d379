namespace NetAutomation.History;

/// <summary>What a run has read of one device.</summary>
/// <param name="Time">When the run was done with it.</param>
internal sealed record SeenTexts(DateTimeOffset Time, DeviceId Device, DeviceTexts Texts);
