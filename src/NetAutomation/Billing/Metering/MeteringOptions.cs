using System.ComponentModel.DataAnnotations;

namespace NetAutomation.Billing.Metering;

/// <summary>Section <c>Metering</c>.</summary>
internal sealed class MeteringOptions : IValidatableObject
{
    /// <summary>How long after its end an hour is sealed.</summary>
    public TimeSpan SealAfter { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>Seal a record of zero for every open agreement and hour without usage.</summary>
    public bool Heartbeat { get; set; }

    /// <summary>How long a process has for a call before others send its records.</summary>
    public TimeSpan Lease { get; set; } = TimeSpan.FromMinutes(2);

    /// <summary>First pause after a failure; doubled by each further one, up to a quarter of an hour.</summary>
    public TimeSpan RetryAfter { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>Usage that waited this long to be reported is a warning, and twice as long an error.</summary>
    public TimeSpan WarnAfter { get; set; } = TimeSpan.FromHours(2);

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (SealAfter < TimeSpan.Zero || Lease <= TimeSpan.Zero || RetryAfter <= TimeSpan.Zero || WarnAfter <= TimeSpan.Zero)
        {
            yield return new("Metering:Lease, Metering:RetryAfter and Metering:WarnAfter are above zero, Metering:SealAfter is not below.");
        }
    }
}
