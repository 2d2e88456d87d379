using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Text.Json;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using NetAutomation;
using NetAutomation.Bench.Inside;
using NetAutomation.Edge;
using NetAutomation.Web;

/// <summary>
/// The runtime calls this before the published service's own Main if DOTNET_STARTUP_HOOKS names this assembly, so a bench measures that
/// program with only the changes that NETAUTOMATION_BENCH_SETTINGS asks for.
/// </summary>
[SuppressMessage("Design", "MA0047", Justification = "The runtime asks for this name.")]
[SuppressMessage("Major Bug", "S3903", Justification = "The same.")]
internal sealed class StartupHook : IObserver<DiagnosticListener>, IObserver<KeyValuePair<string, object?>>
{
    private readonly BenchSettings _settings =
        JsonSerializer.Deserialize<BenchSettings>(Environment.GetEnvironmentVariable("NETAUTOMATION_BENCH_SETTINGS")!)!;
    private int _hosts;

    public static void Initialize() => DiagnosticListener.AllListeners.Subscribe(new StartupHook());

    public void OnNext(DiagnosticListener value)
    {
        if (value.Name == "Microsoft.Extensions.Hosting")
        {
            value.Subscribe(this);
        }
    }

    /// <summary>
    /// Overrides registrations, as a test's host does. The first host is the service's; others are its further listeners.
    /// </summary>
    public void OnNext(KeyValuePair<string, object?> value)
    {
        if (value is { Key: "HostBuilding", Value: IHostBuilder builder } && Interlocked.Exchange(ref _hosts, 1) == 0)
        {
            builder.ConfigureServices(Open);
        }
    }

    public void OnCompleted()
    {
    }

    public void OnError(Exception error)
    {
    }

    private void Open(IServiceCollection services)
    {
        services.AddSingleton(_settings);
        services.AddHostedService<DevicePorts>();
        // Connectors come without a load balancer, which would be a hop that ssh -R does not have.
        services.AddSingleton<EndpointTransport>(provider => listen => Unproven(listen, provider));
        if (_settings.CustomerPort > 0)
        {
            services.Configure<KestrelServerOptions>(kestrel => kestrel.Listen(IPAddress.Loopback, _settings.CustomerPort, listen =>
            {
                listen.Use(next => connection =>
                {
                    connection.Features.Set(new ListenerFeature(Listener.Customer));
                    return next(connection);
                });
                Unproven(listen, listen.ApplicationServices);
            }));
        }
    }

    /// <summary>A customer listener of the product without the PROXY header: every caller is the one tenant.</summary>
    private void Unproven(ListenOptions listen, IServiceProvider provider)
    {
        var feature = new EndpointFeature("vpce-0123456789abcdef0", _ => ValueTask.FromResult<Id<TenantKind>?>(new(_settings.Tenant)));
        listen.Use(next => connection =>
        {
            connection.Features.Set(feature);
            return next(connection);
        });
        listen.UseServerCertificate(provider, HttpProtocols.Http1AndHttp2);
    }
}
