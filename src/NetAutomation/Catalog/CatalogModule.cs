using NetAutomation.Catalog.Browse;
using NetAutomation.Catalog.Publish;
using NetAutomation.Web;

namespace NetAutomation.Catalog;

/// <summary>What can be run: blocks and their immutable versions.</summary>
internal static class CatalogModule
{
    public static void AddCatalog(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddOptions<CatalogOptions>().BindConfiguration("Catalog");
        services.AddSingleton<BlockFiles>();
        services.AddSingleton<BlockCatalog>();
        services.AddHostedService<BlockPublisher>();
    }

    public static void MapCatalog(this ApiRoutes routes)
    {
        var blocks = routes.Customer.MapGroup("/blocks").WithTags("Catalog");
        blocks.MapGet("/", ListBlocks.Handle).WithName(nameof(ListBlocks));
        blocks.MapGet("/{block}", ShowBlock.Handle).WithName(nameof(ShowBlock));
        blocks.MapGet("/{block}/versions/{version}", ShowBlockVersion.Handle).WithName(nameof(ShowBlockVersion));
    }
}
