using NetAutomation.Catalog;
using NetAutomation.Edge;
using NetAutomation.Inventory;
using NetAutomation.Marketplace;
using NetAutomation.Onboarding;
using NetAutomation.Persistence;
using NetAutomation.Platform;

namespace NetAutomation;

/// <summary>The service as a table of contents: one Add and one Map per module.</summary>
internal static class Service
{
    /// <param name="configure">Last word on the registrations, for tests.</param>
    public static WebApplication Build(string[] args, Action<WebApplicationBuilder>? configure = null)
    {
        var builder = WebApplication.CreateBuilder(new WebApplicationOptions { Args = args, ContentRootPath = AppContext.BaseDirectory });
        builder.AddPlatform();
        builder.AddPersistence();
        builder.AddMarketplace();
        builder.AddOnboarding();
        builder.AddEdge();
        builder.AddCatalog();
        builder.AddInventory();
        configure?.Invoke(builder);

        var app = builder.Build();
        app.UsePlatform();
        app.UseEdge();
        var routes = app.MapApi();
        routes.MapCatalog();
        routes.MapInventory();
        routes.MapOnboarding();
        return app;
    }
}
