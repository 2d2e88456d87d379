using NetAutomation.Content;
using NetAutomation.Platforms.Publish;

namespace NetAutomation.Platforms;

/// <summary>The platforms of devices and their immutable versions.</summary>
internal static class PlatformsModule
{
    public static void AddPlatforms(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddOptions<ContentOptions>().BindConfiguration("Catalog");
        services.AddSingleton<PublishedFiles>();
        services.AddSingleton<PlatformCatalog>();
        services.AddSingleton<SecretMasks>();
        services.AddSingleton(PlatformPublisher.Kind);
        services.AddHostedService<ContentPublisher>();
    }
}
