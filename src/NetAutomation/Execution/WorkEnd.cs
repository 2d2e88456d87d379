namespace NetAutomation.Execution;

/// <summary>How the work on the devices of a run ended.</summary>
/// <param name="NotStarted">Why the devices that are left were not started: a code.</param>
/// <param name="HandBack">Another attempt continues with the devices that are left.</param>
internal sealed record WorkEnd(string? NotStarted = null, bool HandBack = false);
