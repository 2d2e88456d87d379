using Microsoft.Extensions.DependencyInjection.Extensions;
using NetAutomation.Connectors.Enrol;
using NetAutomation.Connectors.Links;
using NetAutomation.Platform;

namespace NetAutomation.Connectors;

/// <summary>The way to the devices: enrolment, links, streams.</summary>
internal static class ConnectorsModule
{
    /// <summary>Needs <see cref="ConnectionTenant"/>; the module of runs replaces <see cref="IDialGate"/>.</summary>
    public static void AddConnectors(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddOptions<ConnectorsOptions>().BindConfiguration("Connectors").ValidateDataAnnotations().ValidateOnStart();
        services.TryAddSingleton<IDialGate, ProbesOnly>();
        services.AddSingleton<LinkHub>();
        services.AddSingleton<LinkStore>();
        services.AddSingleton<JoinConnector>();
        services.AddSingleton<DeviceDialler>();
    }

    /// <summary>The connector listener, in processes that have it. Needs <see cref="ConnectorListener"/>.</summary>
    public static void AddConnectorListener(this IHostApplicationBuilder builder)
    {
        builder.Services.AddSingleton<LinkApi>();
        builder.Services.AddSingleton<ConnectorHost>();
        builder.Services.AddHostedService(provider => provider.GetRequiredService<ConnectorHost>());
        builder.Services.AddHostedService<SessionHeartbeat>();
    }

    public static void MapConnectors(this ApiRoutes routes)
    {
        var connectors = routes.Customer.MapGroup("/connectors").WithTags("Connectors");
        connectors.MapPost("", CreateConnector.Handle).WithName(nameof(CreateConnector)).WithMetadata(new RequiredRole(MemberRole.Admin), new SecretOnce());
        connectors.MapGet("", ShowConnectors.List).WithName("ListConnectors");
        connectors.MapGet("/{id}", ShowConnectors.One).WithName("ShowConnector");
        connectors.MapDelete("/{id}", RevokeConnector.Handle).WithName(nameof(RevokeConnector)).WithMetadata(new RequiredRole(MemberRole.Admin));
        routes.Customer.MapGet("/connector-releases/{version}/{rid}", DownloadConnector.Handle)
            .WithName(nameof(DownloadConnector)).WithTags("Connectors").WithMetadata(new OwnTransaction());
    }
}
