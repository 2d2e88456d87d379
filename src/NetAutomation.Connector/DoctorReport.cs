namespace NetAutomation.Connector;

/// <summary>The findings of <c>doctor</c>.</summary>
/// <param name="Ok">Nothing is wrong; there may be warnings.</param>
internal sealed record DoctorReport(bool Ok, string Version, IReadOnlyList<Finding> Steps);

/// <summary>One step of <c>doctor</c>.</summary>
/// <param name="Verdict">ok, warning, wrong, or skipped because of an earlier step.</param>
/// <param name="Code">Stable name of the fault.</param>
internal sealed record Finding(string Step, string Verdict, string? Code, string Message);
