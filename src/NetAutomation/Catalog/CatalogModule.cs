using Microsoft.AspNetCore.Mvc;
using NetAutomation.Catalog.Browse;
using NetAutomation.Catalog.Operators;
using NetAutomation.Catalog.Publish;
using NetAutomation.Content;
using NetAutomation.Platforms;
using NetAutomation.Web;

namespace NetAutomation.Catalog;

/// <summary>Blocks and their immutable versions.</summary>
internal static class CatalogModule
{
    public static void AddCatalog(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddSingleton<BlockCatalog>();
        services.AddSingleton(BlockPublisher.Kind);
    }

    /// <summary>The reason for each folder of this process that would be refused; empty where all are good.</summary>
    public static async Task<IReadOnlyList<string>> Refusals(ContentOptions options)
    {
        var (platforms, refusals) = options.PlatformsDirectory is { } platformsDirectory
            ? await PlatformCatalog.Check(platformsDirectory) : ([], []);
        var blocks = options.BlocksDirectory is { } blocksDirectory
            ? await ContentFolder.Each(blocksDirectory, folder =>
            {
                BlockFolder.Read(folder, platforms);
                return Task.CompletedTask;
            })
            : [];
        return [.. refusals, .. blocks];
    }

    public static void MapCatalog(this ApiRoutes routes)
    {
        var blocks = routes.Customer.MapGroup("/blocks").WithTags("Catalog");
        blocks.MapGet("/", ListBlocks.Handle).WithName(nameof(ListBlocks));
        blocks.MapGet("/{block}", ShowBlock.Handle).WithName(nameof(ShowBlock));
        blocks.MapGet("/{block}/versions/{version}", ShowBlockVersion.Handle).WithName(nameof(ShowBlockVersion));
        routes.Customer.MapGet("/platforms", ListPlatforms.Handle).WithName(nameof(ListPlatforms)).WithTags("Catalog");
        routes.Operator.MapPost("/blocks/{block}/versions", PublishVersion.Handle).WithMetadata(
            new RequiredOperatorRole(OperatorRole.Money), new RequestSizeLimitAttribute(ContentArchive.Largest),
            new Takes(ContentArchive.MediaType));
        routes.Operator.MapPost("/blocks/{block}/versions/{version}:deprecate", RetireVersion.Deprecate);
        routes.Operator.MapPost("/blocks/{block}/versions/{version}:withdraw", RetireVersion.Withdraw);
    }
}
