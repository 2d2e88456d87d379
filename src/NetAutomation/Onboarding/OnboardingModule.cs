namespace NetAutomation.Onboarding;

/// <summary>Who may call: agreement, endpoint connection, binding, keys.</summary>
internal static class OnboardingModule
{
    public static void AddOnboarding(this IHostApplicationBuilder builder)
    {
        builder.Services.AddSingleton<TenantDirectory>();
    }
}
