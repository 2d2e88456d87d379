using NetAutomation.Content;
using NetAutomation.Platforms.Publish;

namespace NetAutomation.Platforms;

/// <summary>What devices run: platforms and their immutable versions.</summary>
internal static class PlatformsModule
{
    public static void AddPlatforms(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddOptions<ContentOptions>().BindConfiguration("Catalog");
        services.AddSingleton<PublishedFiles>();
        services.AddSingleton<PlatformCatalog>();
        services.AddHostedService<PlatformPublisher>();
    }
}
