namespace NetAutomation.History;

/// <summary>Configurations of a device that a run has read, normalised.</summary>
/// <param name="Platform">What the device was then.</param>
/// <param name="Before">Before the run did anything; null where it is not known.</param>
/// <param name="After">After its change; null where it changed nothing, or that is not known.</param>
internal sealed record DeviceTexts(string Platform, byte[]? Before, byte[]? After)
{
    /// <summary>How much they hold.</summary>
    public long Size => (Before?.LongLength ?? 0) + (After?.LongLength ?? 0);
}
