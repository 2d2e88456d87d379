namespace NetAutomation.Registration;

/// <summary>Section <c>Onboarding</c>, which Tenants and Connections share.</summary>
internal sealed class RegistrationOptions
{
    /// <summary>False only where a browser reaches the registration page without TLS.</summary>
    public bool SecureCookie { get; set; } = true;
}
