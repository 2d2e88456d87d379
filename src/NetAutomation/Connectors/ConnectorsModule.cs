using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using NetAutomation.Connectors.Enrol;
using NetAutomation.Connectors.Links;
using NetAutomation.Connectors.Peers;
using NetAutomation.Web;
using NetAutomation.Web.Loops;
using NetAutomation.Web.Telemetry;

namespace NetAutomation.Connectors;

/// <summary>The way to the devices: enrolment, links, streams.</summary>
internal static class ConnectorsModule
{
    /// <summary>The module of runs registers its own <see cref="IDialGate"/> before.</summary>
    public static void AddConnectors(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddOptions<ConnectorsOptions>().BindConfiguration("Connectors").ValidateDataAnnotations().ValidateOnStart();
        var roles = Roles.Of(builder.Configuration);
        services.TryAddSingleton(roles);
        if (!roles.Api)
        {
            services.PostConfigure<ConnectorsOptions>(options => options.Listener = "");
        }

        services.AddOptions<PeerOptions>().BindConfiguration("Peer").ValidateDataAnnotations()
            .Validate(
                peer => peer.IsSet || roles.Api || !roles.Worker,
                "Peer:Url and Peer:ClusterKeyFile are needed: a worker without the role api reaches connectors through others.")
            .ValidateOnStart();
        services.AddOptions<HostOptions>()
            .Configure<IOptions<ConnectorsOptions>>(
                (host, connectors) => host.ShutdownTimeout += TimeSpan.FromSeconds(connectors.Value.DrainSeconds));
        services.TryAddSingleton<IDialGate, ProbesOnly>();
        services.AddSingleton(ExportPart.Of(
            "connector",
            (from, page, cancel) =>
                ShowConnectors.List(page, null, from.Caller, from.Db, from.Services.GetRequiredService<ConnectorReleases>(), cancel)));
        services.AddInstruments<ConnectorMetrics>();
        services.AddSingleton<LinkHub>().AddSingleton<LinkStore>().AddSingleton<LinkApi>().AddSingleton<ConnectorHost>()
            .AddSingleton<SessionHeartbeat>().AddSingleton<ConnectorReleases>().AddSingleton<DeviceDialler>();
        services.AddSingleton<ClusterKey>().AddSingleton<PeerIdentity>().AddSingleton<PeerClient>().AddSingleton<PeerLinks>()
            .AddSingleton<PeerApi>().AddSingleton<PeerHost>();
        // Before the connectors' listener, so that a session knows where others reach it; stopped after it, since it carries streams.
        services.AddHostedService(provider => provider.GetRequiredService<PeerHost>());
        services.AddHostedService(provider => provider.GetRequiredService<ConnectorHost>());
        services.AddLoop<SessionHeartbeat>("connectors.heartbeat", SessionHeartbeat.Every, (heartbeat, cancel) => heartbeat.Beat(cancel));
    }

    public static void MapConnectors(this ApiRoutes routes)
    {
        var connectors = routes.Customer.MapGroup("/connectors").WithTags("Connectors");
        connectors.MapPost("", CreateConnector.Handle).WithName(nameof(CreateConnector))
            .WithMetadata(new RequiredRole(MemberRole.Admin), new SecretOnce(), new Refuses(Problems.NameTaken, Web.Problems.LimitReached));
        connectors.MapGet("", ShowConnectors.List).WithName("ListConnectors");
        connectors.MapGet("/{id}", ShowConnectors.One).WithName("ShowConnector");
        connectors.MapDelete("/{id}", RevokeConnector.Handle).WithName(nameof(RevokeConnector))
            .WithMetadata(new RequiredRole(MemberRole.Admin));
        routes.Customer.MapGet("/connector-releases/{version}/{rid}", DownloadConnector.Handle)
            .WithName(nameof(DownloadConnector)).WithTags("Connectors").WithMetadata(new OwnTransaction());
    }
}
