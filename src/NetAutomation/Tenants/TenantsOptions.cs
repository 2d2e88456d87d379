using System.ComponentModel.DataAnnotations;

namespace NetAutomation.Tenants;

/// <summary>Section <c>Onboarding</c>, which Connections and Registration share.</summary>
internal sealed class TenantsOptions : IValidatableObject
{
    /// <summary>How long a tenant may still read after its agreement ended.</summary>
    public TimeSpan ReadsAfterEnd { get; set; } = TimeSpan.FromDays(30);

    /// <summary>Where requests that prove an account are sent to; empty for AWS itself, anything else only with a simulated AWS.</summary>
    public string StsUrl { get; set; } = "";

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (StsUrl.Length > 0 && !Uri.TryCreate(StsUrl, UriKind.Absolute, out _))
        {
            yield return new("Onboarding:StsUrl is a URL or empty.");
        }
    }
}
