using Amazon.ElasticLoadBalancingV2;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Options;
using NetAutomation.Edge.Authenticate;
using NetAutomation.Edge.Listeners;
using NetAutomation.Edge.Proxy;
using NetAutomation.Edge.Targets;
using NetAutomation.Web;
using NetAutomation.Web.Loops;
using NetAutomation.Web.Rates;
using NetAutomation.Web.Telemetry;

namespace NetAutomation.Edge;

/// <summary>Proves the caller: PROXY header, endpoint binding, TLS, key, tenant.</summary>
internal static class EdgeModule
{
    public static void AddEdge(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddOptions<EdgeOptions>().BindConfiguration("Edge").ValidateDataAnnotations().ValidateOnStart();
        OperatorKeysFile.Add(builder.Configuration);
        services.AddOptions<OperatorOptions>().BindConfiguration("Operator").ValidateDataAnnotations()
            .Validate<TimeProvider>(
                (keys, clock) => keys.EndInTime(clock.GetUtcNow()),
                $"Operator:Keys has a key whose ExpiresAt is more than {OperatorOptions.LongestDays} days ahead.")
            .ValidateOnStart();
        services.AddSingleton(provider => OwnAuthority.Load(
            provider.GetRequiredService<IOptions<EdgeOptions>>().Value, provider.GetRequiredService<TimeProvider>()));
        services.AddInstruments<EdgeMetrics>();
        services.AddInstruments<OperatorKeyMetrics>();
        services.AddInstruments<CertificateMetrics>();
        services.AddSingleton<EdgeAddresses>();
        services.AddSingleton<ConnectionBudget>();
        services.AddSingleton<BoundedTransport>(provider => server => new BudgetedTransport(
            ActivatorUtilities.CreateInstance<SocketTransportFactory>(server), provider.GetRequiredService<ConnectionBudget>(),
            provider.GetRequiredService<EdgeAddresses>()));
        // Kestrel takes the factory that was registered last.
        services.AddSingleton(provider => provider.GetRequiredService<BoundedTransport>()(provider));
        services.AddSingleton<RequireProxyHeader>();
        services.AddSingleton<CustomerAuthentication>();
        services.AddSingleton<ICallerCheck>(provider => provider.GetRequiredService<CustomerAuthentication>());
        services.AddSingleton<OperatorAuthentication>();
        services.AddSingleton<Health>();
        services.AddSingleton<LiveConnections>();
        services.AddLoop(provider =>
        {
            var live = provider.GetRequiredService<LiveConnections>();
            return new Loop(
                "edge.close-unbound", LiveConnections.Period, live.Sweep, provider.GetRequiredService<TimeProvider>(),
                LoopsModule.Log(provider))
            { Wait = live.Wait };
        });
        services.AddSingleton<IConfigureOptions<KestrelServerOptions>, KestrelListeners>();
        services.AddOptions<TargetsOptions>().BindConfiguration("Targets").ValidateDataAnnotations().ValidateOnStart();
        services.AddOptions<HostOptions>().Configure<IOptions<TargetsOptions>>((host, targets) =>
            host.ShutdownTimeout += targets.Value.Groups().Any()
                ? TargetMembership.Farewell + TimeSpan.FromSeconds(targets.Value.DrainSeconds) : TimeSpan.Zero);
        // A call that hangs is given up early, since every caller tries again.
        services.AddSingleton<IAmazonElasticLoadBalancingV2>(
            _ => new AmazonElasticLoadBalancingV2Client(
                new AmazonElasticLoadBalancingV2Config { Timeout = TimeSpan.FromSeconds(5), MaxErrorRetry = 1 }));
        services.AddSingleton<TargetGroups>();
        if (builder.Configuration.GetSection("Targets").Get<TargetsOptions>()?.Groups().Any() == true
            && Roles.Of(builder.Configuration).Api)
        {
            services.AddHostedService<TargetMembership>();
        }

        if (!Roles.Of(builder.Configuration).Api)
        {
            services.PostConfigure<EdgeOptions>(options =>
            {
                foreach (var listener in (Listener[])[Listener.Customer, Listener.Operator, Listener.Registration])
                {
                    options.Listeners[listener] = "";
                }
            });
            services.AddSingleton<IServer, NoServer>();
        }

        services.AddSingleton(PeerListenerOf);
        services.AddSingleton<EndpointTransport>(provider => listen => listen.UseEndpointIdentity(provider));
        services.AddScoped(provider => Proven<Caller>(provider));
        services.AddScoped(provider => Proven<OperatorCaller>(provider));
    }

    /// <summary>Call before anything else: what comes too often costs no more than this, and no line in the log.</summary>
    public static void UseRates(this WebApplication app)
    {
        var rates = app.Services.GetRequiredService<RateLimits>();
        app.Use((context, next) =>
        {
            // The load balancer's own checks of health name no endpoint.
            var (health, endpoint) = (Health.IsPath(context.Request.Path), context.Features.Get<EndpointFeature>()?.EndpointId);
            var often = context.Features.Get<ListenerFeature>()?.Listener switch
            {
                Listener.Customer when endpoint is not null || !health => rates.Endpoint(context, endpoint ?? ""),
                Listener.Registration when !health => rates.Visitor(context),
                _ => null,
            };
            return often is null ? next(context) : often.ExecuteAsync(context);
        });
    }

    /// <summary>Call after routing and before anything is mapped: it lets no request through without its listener's proof.</summary>
    public static void UseEdge(this WebApplication app)
    {
        var life = app.Services.GetRequiredService<IHostApplicationLifetime>();
        app.Use((context, next) =>
        {
            // The request is answered, and the client's next one goes to another process. A buyer's connection serves one request, since
            // nothing proves a buyer who may keep it.
            context.Response.OnStarting(() =>
            {
                if (life.ApplicationStopping.IsCancellationRequested
                    || context.Features.Get<ListenerFeature>()?.Listener == Listener.Registration)
                {
                    context.Features.Get<IConnectionLifetimeNotificationFeature>()?.RequestClose();
                }

                return Task.CompletedTask;
            });
            return next(context);
        });
        var customer = app.Services.GetRequiredService<CustomerAuthentication>();
        var staff = app.Services.GetRequiredService<OperatorAuthentication>();
        app.Use((context, next) => Health.IsPath(context.Request.Path)
            ? next(context)
            : context.Features.Get<ListenerFeature>()?.Listener switch
            {
                Listener.Customer => customer.Handle(context, next),
                Listener.Operator => staff.Handle(context, next),
                Listener.Registration when context.Request.Path.StartsWithSegments("/marketplace", StringComparison.Ordinal) =>
                    ProofFeature.Met(context, next),
                _ => Problems.NotFound.With().ExecuteAsync(context),
            });
        Health.Map(app);
    }

    public static void MapEdge(this ApiRoutes routes) =>
        routes.Operator.MapGet("/targets", ShowTargets.List).WithMetadata(new OwnTransaction());

    private static PeerListener PeerListenerOf(IServiceProvider provider) => new(
        provider.GetRequiredService<IOptions<EdgeOptions>>().Value.Listeners[Listener.Peer],
        listen =>
        {
            listen.UseBudget(provider, Listener.Peer);
            listen.UseServerCertificate(provider, HttpProtocols.Http1AndHttp2);
        },
        provider.GetRequiredService<Health>().Fault);

    private static T Proven<T>(IServiceProvider provider)
        where T : class =>
        provider.GetRequiredService<IHttpContextAccessor>().HttpContext?.Features.Get<T>()
            ?? throw new InvalidOperationException("The request carries no such proof.");
}
