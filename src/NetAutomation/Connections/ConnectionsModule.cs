using Amazon.EC2;
using NetAutomation.Connections.Operators;
using NetAutomation.Connections.Reconciling;
using NetAutomation.Web;
using NetAutomation.Web.Loops;
using NetAutomation.Web.Telemetry;

namespace NetAutomation.Connections;

/// <summary>VPC endpoints: which are accepted, and which tenant each is bound to.</summary>
internal static class ConnectionsModule
{
    public static void AddConnections(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddOptions<ConnectionsOptions>().BindConfiguration("Onboarding").ValidateDataAnnotations().ValidateOnStart();
        services.AddSingleton<BindingDirectory>();
        services.AddSingleton<BindingBell>();
        services.AddHostedService(provider => provider.GetRequiredService<BindingBell>());
        // EndpointServiceApi repeats at its own pace; repetition by the client would multiply it and hide throttling.
        services.AddSingleton<IAmazonEC2>(
            _ => new AmazonEC2Client(new AmazonEC2Config { MaxErrorRetry = 0, MaxStaleConnectionRetries = 0 }));
        services.AddSingleton<ReconcileSignal>();
        services.AddHostedService(provider => provider.GetRequiredService<ReconcileSignal>());
        services.AddInstruments<ConnectionMetrics>();
        services.AddScoped<EndpointServiceApi>();
        services.AddScoped<AllowedPrincipals>();
        services.AddScoped<Reconcile>();
        services.AddScoped<TenantEndpoints>();
    }

    /// <summary>The scheduler role: follows EC2.</summary>
    public static void AddConnectionsLoops(this IHostApplicationBuilder builder)
    {
        var (services, options) = (builder.Services, builder.Configuration.GetSection("Onboarding").Get<ConnectionsOptions>() ?? new());
        if (options.ServiceId.Length > 0)
        {
            services.AddSingleton<ReconcileLoop>();
            services.AddLoop(provider =>
            {
                var loop = provider.GetRequiredService<ReconcileLoop>();
                return new Loop(
                    "connections.reconcile", options.PendingInterval, loop.Run, provider.GetRequiredService<TimeProvider>(),
                    LoopsModule.Log(provider))
                {
                    Turn = provider.GetRequiredService<Leadership>().Wait, Wait = loop.Wait, FirstPause = options.PendingInterval * 2,
                    LongestPause = options.PendingInterval * 32,
                };
            });
        }

        if (options.NotificationQueueUrl.Length > 0)
        {
            services.AddLoop<NotificationLoop>(
                "connections.notifications", TimeSpan.Zero, (notifications, cancel) => notifications.Run(cancel));
        }
    }

    public static void MapConnections(this ApiRoutes routes)
    {
        var staff = routes.Operator;
        staff.MapGet("/endpoint-connections", OperateConnections.List);
        staff.MapPost("/endpoint-connections/{id}:accept", OperateConnections.Accept);
        staff.MapPost("/endpoint-connections/{id}:reject", OperateConnections.Reject);
        staff.MapGet("/acceptance-policies", OperatePolicy.Show);
        staff.MapGet("/endpoint-service", OperateEndpointService.Show).WithMetadata(new OwnTransaction());
        staff.MapPost("/endpoint-service:verify-private-dns", OperateEndpointService.VerifyPrivateDns).WithMetadata(new OwnTransaction());
        staff.MapPut("/acceptance-policies", OperatePolicy.Replace);
        staff.MapPost("/acceptance-policies:try", OperatePolicy.Try);
    }
}
