using System.ComponentModel.DataAnnotations;

namespace NetAutomation.Runs;

/// <summary>Section <c>Runs</c> of the configuration.</summary>
internal sealed class RunsOptions
{
    /// <summary>Days the events of a run are kept, from the day it was created. Runs, receipts and money stay for ever.</summary>
    [Range(8, 3650)]
    public int EventDays { get; set; } = 90;
}
