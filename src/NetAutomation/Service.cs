using NetAutomation.Access;
using NetAutomation.Billing;
using NetAutomation.Catalog;
using NetAutomation.Connections;
using NetAutomation.Connectors;
using NetAutomation.Edge;
using NetAutomation.Execution;
using NetAutomation.History;
using NetAutomation.Inventory;
using NetAutomation.Marketplace;
using NetAutomation.Persistence;
using NetAutomation.Platforms;
using NetAutomation.Purchasing;
using NetAutomation.Registration;
using NetAutomation.Runs;
using NetAutomation.Scheduling;
using NetAutomation.Tenants;
using NetAutomation.Web;
using NetAutomation.Web.Loops;
using NetAutomation.Web.Telemetry;

namespace NetAutomation;

/// <summary>The service as a table of contents: one Add and one Map per module.</summary>
internal static class Service
{
    /// <param name="configure">Last word on the registrations, for tests.</param>
    public static WebApplication Build(string[] args, Action<WebApplicationBuilder>? configure = null)
    {
        var builder = WebApplication.CreateBuilder(new WebApplicationOptions { Args = args, ContentRootPath = AppContext.BaseDirectory });
        builder.AddWeb();
        builder.AddTelemetry();
        builder.AddPersistence();
        builder.AddMarketplace();
        builder.AddConnections();
        builder.AddAccess();
        builder.AddTenants();
        builder.AddRegistration();
        builder.AddEdge();
        builder.AddBilling();
        builder.AddPlatforms();
        builder.AddCatalog();
        builder.AddPurchasing();
        builder.AddInventory();
        builder.AddHistory();
        builder.AddRuns();
        builder.AddConnectors();
        builder.AddExecution();
        builder.AddScheduling();
        var roles = Roles.Of(builder.Configuration);
        if (roles.Worker)
        {
            builder.AddWorker();
        }

        if (roles.Scheduler)
        {
            builder.AddConnectionsLoops();
            builder.AddTenantsLoops();
            builder.AddRunsLoops();
            builder.AddInventoryLoops();
            builder.AddHistoryLoops();
            builder.AddExecutionLoops();
            builder.AddPurchasingLoops();
            builder.AddBillingLoops();
            builder.AddSchedulingLoops();
        }

        builder.AddLoops();

        configure?.Invoke(builder);

        var app = builder.Build();
        app.UseRates();
        app.UseWeb();
        app.UseEdge();
        var routes = app.MapApi();
        routes.MapEdge();
        routes.MapCatalog();
        routes.MapPurchasing();
        routes.MapInventory();
        routes.MapHistory();
        routes.MapConnections();
        routes.MapAccess();
        routes.MapTenants();
        routes.MapRegistration();
        routes.MapConnectors();
        routes.MapRuns();
        routes.MapScheduling();
        routes.MapExecution();
        routes.MapBilling();
        return app;
    }
}
