using Amazon.KeyManagementService;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;
using NetAutomation.Inventory.KeepCredentials;
using NetAutomation.Inventory.KeepDevices;
using NetAutomation.Inventory.KeepSites;
using NetAutomation.Inventory.Seal;
using NetAutomation.Web;
using NetAutomation.Web.Loops;

namespace NetAutomation.Inventory;

/// <summary>What blocks run on: sites, devices, labels and sealed credentials.</summary>
internal static class InventoryModule
{
    private const int LargestImport = 8 * 1024 * 1024;

    public static void AddInventory(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddOptions<InventoryOptions>().BindConfiguration("Inventory").ValidateDataAnnotations().ValidateOnStart();
        // Three attempts, each within the time limit.
        services.AddSingleton(_ => new Lazy<IAmazonKeyManagementService>(() => new AmazonKeyManagementServiceClient(
            new AmazonKeyManagementServiceConfig { MaxErrorRetry = 2, MaxStaleConnectionRetries = 0, Timeout = TimeSpan.FromSeconds(5) })));
        services.AddSingleton<RootKeys>();
        services.AddHostedService(provider => provider.GetRequiredService<RootKeys>());
        services.AddSingleton<TenantKeys>();
        services.AddSingleton<DeviceAccess>();
        services.AddSingleton<TextSeals>();
        services.AddScoped<DeviceCheck>();
        services.AddScoped<ImportDevices>();
        services.AddSingleton(ExportPart.Of("site", (from, page, cancel) => ReadSites.List(page, from.Db, cancel)));
        services.AddSingleton(ExportPart.Of("credential", (from, page, cancel) => ReadCredentials.List(page, from.Db, cancel)));
        services.AddSingleton(ExportPart.Of("device", (from, page, cancel) => DeviceResource.Rows.List(page, from.Db, cancel)));
        services.Configure<OpenApiOptions>("v1", options => options.AddSchemaTransformer((schema, context, _) =>
        {
            if (context.JsonTypeInfo.Type == typeof(Secret))
            {
                schema.Type = JsonSchemaType.String | JsonSchemaType.Null;
                schema.WriteOnly = true;
            }

            return Task.CompletedTask;
        }));
    }

    /// <summary>The scheduler role's part.</summary>
    public static void AddInventoryLoops(this IHostApplicationBuilder builder) =>
        builder.Services.AddOneProcessLoop<RewrapKeys>(
            "inventory.rewrap-keys", TimeSpan.FromMinutes(1), (keys, cancel) => keys.Run(cancel));

    public static void MapInventory(this ApiRoutes routes)
    {
        var sites = routes.Customer.MapGroup("/sites").WithTags("Inventory");
        sites.MapPost("/", CreateSite.Handle).WithName(nameof(CreateSite))
            .WithMetadata(new Refuses(Problems.SiteNameTaken, Web.Problems.LimitReached));
        sites.MapGet("/", ReadSites.List).WithName("ListSites");
        sites.MapGet("/{id}", ReadSites.Show).WithName("ShowSite");
        sites.MapPatch("/{id}", ChangeSite.Rename).WithName(nameof(ChangeSite)).WithMetadata(new Refuses(Problems.SiteNameTaken));
        sites.MapDelete("/{id}", ChangeSite.Delete).WithName("DeleteSite").WithMetadata(new Refuses(Problems.SiteInUse));

        var credentials = routes.Customer.MapGroup("/credentials").WithTags("Inventory");
        credentials.MapPost("/", CreateCredential.Handle).WithName(nameof(CreateCredential))
            .WithMetadata(new RequiredRole(MemberRole.Admin), new Refuses(Problems.CredentialNameTaken, Web.Problems.LimitReached));
        credentials.MapGet("/", ReadCredentials.List).WithName("ListCredentials");
        credentials.MapGet("/{id}", ReadCredentials.Show).WithName("ShowCredential");
        credentials.MapPatch("/{id}", ChangeCredential.Patch).WithName(nameof(ChangeCredential))
            .WithMetadata(new RequiredRole(MemberRole.Admin), new Refuses(Problems.CredentialNameTaken));
        credentials.MapDelete("/{id}", ChangeCredential.Delete).WithName("DeleteCredential")
            .WithMetadata(new RequiredRole(MemberRole.Admin), new Refuses(Problems.CredentialInUse));

        var taken = new Refuses(Problems.DeviceNameTaken, Problems.DeviceAddressTaken, Problems.DeviceInUse);
        var devices = routes.Customer.MapGroup("/devices").WithTags("Inventory");
        devices.MapPost("/", CreateDevice.Handle).WithName(nameof(CreateDevice))
            .WithMetadata(taken, new Refuses(Web.Problems.LimitReached));
        devices.MapGet("/", ReadDevices.List).WithName("ListDevices");
        devices.MapGet("/{id}", ReadDevices.Show).WithName("ShowDevice");
        devices.MapPatch("/{id}", ChangeDevice.Patch).WithName(nameof(ChangeDevice)).WithMetadata(taken);
        devices.MapDelete("/{id}", ChangeDevice.Delete).WithName("DeleteDevice").WithMetadata(new Refuses(Problems.DeviceInUse));
        devices.MapPost("/{id}:pin", PinDevice.Handle).WithName(nameof(PinDevice))
            .WithMetadata(new OptionalMatch(), new Refuses(Problems.DeviceInUse));
        routes.Customer.MapPost("/devices:import", ImportDevices.Handle).WithName(nameof(ImportDevices)).WithTags("Inventory")
            .WithMetadata(
                new RequestSizeLimitAttribute(LargestImport), new Takes(ImportDevices.MediaType), taken,
                new Refuses(Web.Problems.LimitReached));
    }
}
