using System.Net;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http.Features;
using NetAutomation.AwsSimulator.Control;
using NetAutomation.AwsSimulator.Ec2;
using NetAutomation.AwsSimulator.Elb;
using NetAutomation.AwsSimulator.Marketplace;
using NetAutomation.AwsSimulator.Nlb;
using NetAutomation.AwsSimulator.Sqs;
using NetAutomation.AwsSimulator.State;
using NetAutomation.AwsSimulator.Wire;

namespace NetAutomation.AwsSimulator;

/// <summary>A running simulator: AWS endpoint, control API and load balancer.</summary>
internal sealed class Simulator : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly WebApplication _aws;
    private readonly WebApplication _control;
    private readonly Front _front;
    private readonly Task _healthChecks;

    private Simulator(WebApplication aws, WebApplication control, Front front, HealthChecks healthChecks)
    {
        (_aws, _control, _front) = (aws, control, front);
        _healthChecks = healthChecks.RunAsync(_stop.Token);
    }

    public Uri AwsUrl => Address(_aws);
    public Uri ControlUrl => Address(_control);

    /// <summary>Starts everything; a port of 0 in the options is replaced by a free one.</summary>
    public static async Task<Simulator> StartAsync(SimulatorOptions options, TimeProvider? time = null)
    {
        var clock = time ?? TimeProvider.System;
        var privateLink = new PrivateLink(options, clock);
        var loadBalancer = new LoadBalancer(options, clock);
        var marketplace = new State.Marketplace(options, clock);
        var queues = options.Queues.ToDictionary(name => name, name => new MessageQueue(name, clock), StringComparer.Ordinal);
        if (options.Marketplace.EventQueue is { } eventQueue)
        {
            var queue = queues.GetValueOrDefault(eventQueue) ?? throw new ArgumentException($"marketplace.eventQueue names '{eventQueue}', which is not in queues.", nameof(options));
            var events = new LifecycleEvents(options, clock);
            marketplace.Changed = (subscription, detailType) =>
            {
                // EventBridge tells of products with concurrent agreements only.
                if (subscription.LicenseArn is not null)
                {
                    queue.Send(events.Write(subscription, detailType));
                }
            };
        }

        var ec2 = new Dictionary<string, QueryOperation>(StringComparer.Ordinal);
        new ProviderOperations(privateLink, options).AddTo(ec2);
        new ConsumerOperations(privateLink).AddTo(ec2);
        var elb = new Dictionary<string, QueryOperation>(StringComparer.Ordinal);
        new TargetGroupOperations(loadBalancer, options).AddTo(elb);
        var json = new Dictionary<string, JsonOperation>(StringComparer.Ordinal);
        new QueueOperations(queues, options).AddTo(json);
        new MeteringOperations(marketplace, options, clock).AddTo(json);
        new EntitlementOperations(marketplace, options).AddTo(json);

        var aws = Host(options.Urls);
        var control = Host(options.ControlUrls);
        var front = new Front(options, privateLink, loadBalancer, aws.Services.GetRequiredService<ILogger<Front>>());
        try
        {
            front.Start();
            var endpoint = new AwsEndpoint(new Signature(options.Accounts, clock), ec2, elb, json, aws.Services.GetRequiredService<ILogger<AwsEndpoint>>());
            aws.Run(endpoint.HandleAsync);
            await aws.StartAsync();
            new ControlApi(options with { Urls = Address(aws).ToString().TrimEnd('/') }, privateLink, loadBalancer, marketplace, queues, front).Map(control);
            await control.StartAsync();
        }
        catch
        {
            front.Dispose();
            await aws.DisposeAsync();
            await control.DisposeAsync();
            throw;
        }
        return new Simulator(aws, control, front, new HealthChecks(loadBalancer, front, options));
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _front.Dispose();
        // Long polls are cut rather than waited for.
        using var hurry = new CancellationTokenSource(TimeSpan.FromMilliseconds(200));
        await Task.WhenAll(_aws.StopAsync(hurry.Token), _control.StopAsync(hurry.Token), _healthChecks);
        await _aws.DisposeAsync();
        await _control.DisposeAsync();
        _stop.Dispose();
    }

    private static WebApplication Host(string url)
    {
        // The empty builder reads no environment, so variables meant for the service beside it change nothing here.
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Logging.AddSimpleConsole(o => o.SingleLine = true).SetMinimumLevel(LogLevel.Information).AddFilter("Microsoft", LogLevel.Warning);
        builder.Services.AddRouting().Configure<RouteHandlerOptions>(o => o.ThrowOnBadRequest = true);
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(Parse(url)));
        return builder.Build();
    }

    private static IPEndPoint Parse(string url) =>
        Uri.TryCreate(url, UriKind.Absolute, out var uri) && uri.Scheme == "http" && IPAddress.TryParse(uri.Host, out var address) ? new IPEndPoint(address, uri.Port) :
        throw new ArgumentException($"'{url}' is not of the form http://ADDRESS:PORT.", nameof(url));

    private static Uri Address(WebApplication app) =>
        new(app.Services.GetRequiredService<IServer>().Features.GetRequiredFeature<IServerAddressesFeature>().Addresses.First());
}
