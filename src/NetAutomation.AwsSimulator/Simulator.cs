using System.Net;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http.Features;
using NetAutomation.AwsSimulator.Control;
using NetAutomation.AwsSimulator.Ec2;
using NetAutomation.AwsSimulator.Elb;
using NetAutomation.AwsSimulator.Kms;
using NetAutomation.AwsSimulator.Marketplace;
using NetAutomation.AwsSimulator.Nlb;
using NetAutomation.AwsSimulator.Sqs;
using NetAutomation.AwsSimulator.State;
using NetAutomation.AwsSimulator.Sts;
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
    public static async Task<Simulator> StartAsync(SimulatorOptions options, TimeProvider clock)
    {
        var ec2Faults = new Ec2Faults(options, clock);
        var privateLink = new PrivateLink(options, clock, ec2Faults);
        var loadBalancer = new LoadBalancer(options, clock);
        var marketplace = new State.Marketplace(options, clock);
        var queues =
            options.Queues.ToDictionary(
                name => name, name => new MessageQueue(name, clock, options.QueueFaults.GetValueOrDefault(name) ?? new QueueFaults()),
                StringComparer.Ordinal);
        foreach (var (setting, name) in NamedQueues(options).Where(named => !queues.ContainsKey(named.Name)))
        {
            throw new ArgumentException($"{setting} names '{name}', which is not in queues.", nameof(options));
        }
        var (events, notices) = (new LifecycleEvents(options, clock), new LegacyNotices(clock));
        marketplace.Changed = (subscription, detailType, form) =>
        {
            // Products with concurrent agreements have events of EventBridge, the others notices by SNS.
            var (queue, message) = subscription.LicenseArn is not null
                ? (options.Marketplace.EventQueue, events.Write(subscription, detailType))
                : (options.Marketplace.NoticeQueue, notices.Write(subscription, detailType, form));
            if (queue is not null && message is not null)
            {
                queues[queue].Deliver(message);
            }
        };
        var notifications = new ConnectionNotifications(options, queues, clock);
        privateLink.Notify = notifications.Send;

        KmsKey[] keys =
            [.. options.Keys.Select(id => new KmsKey(id, $"arn:aws:kms:{options.Region}:{options.ProviderAccount}:key/{id}"))];
        var operations = new Operations(
            new Dictionary<string, QueryOperation>(
                [
                    .. new ProviderOperations(privateLink, options).Operations,
                    .. new ConsumerOperations(privateLink).Operations,
                    .. new NotificationOperations(notifications, privateLink, options).Operations,
                    .. new TargetGroupOperations(loadBalancer, options).Operations,
                    new("sts.GetCallerIdentity", IdentityOperations.GetCallerIdentity),
                ],
                StringComparer.Ordinal),
            new Dictionary<string, JsonOperation>(
                [
                    .. new QueueOperations(queues, options).Operations,
                    .. new MeteringOperations(marketplace, options, clock).Operations,
                    .. new EntitlementOperations(marketplace, options).Operations,
                    .. new KeyOperations(keys, options).Operations,
                ],
                StringComparer.Ordinal));
        var counts = new CallCounts(operations);

        var aws = Host(options.Urls);
        var control = Host(options.ControlUrls);
        var front = new Front(options, privateLink, loadBalancer, aws.Services.GetRequiredService<ILogger<Front>>());
        try
        {
            front.Start();
            var endpoint =
                new AwsEndpoint(
                    new Signature(options.Accounts, clock), operations, ec2Faults, counts,
                    aws.Services.GetRequiredService<ILogger<AwsEndpoint>>());
            aws.Run(endpoint.HandleAsync);
            await aws.StartAsync();
            new ControlApi(
                options with { Urls = Address(aws).ToString().TrimEnd('/') }, privateLink, ec2Faults, loadBalancer, marketplace, queues,
                keys, front, counts).Map(control);
            await control.StartAsync();
        }
        catch
        {
            front.Dispose();
            await aws.DisposeAsync();
            await control.DisposeAsync();
            throw;
        }
        return new Simulator(aws, control, front, new HealthChecks(loadBalancer, front));
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _front.Dispose();
        // Long polls are cut rather than waited for.
        using var grace = new CancellationTokenSource(TimeSpan.FromMilliseconds(200));
        await Task.WhenAll(_aws.StopAsync(grace.Token), _control.StopAsync(grace.Token), _healthChecks);
        await _aws.DisposeAsync();
        await _control.DisposeAsync();
        _stop.Dispose();
    }

    private static IEnumerable<(string Setting, string Name)> NamedQueues(SimulatorOptions options) => new[]
        {
            ("marketplace.eventQueue", options.Marketplace.EventQueue),
            ("marketplace.noticeQueue", options.Marketplace.NoticeQueue),
        }
        .Concat(options.Topics.Select(topic => ("topics", (string?)topic.Value)))
        .Concat(options.QueueFaults.Keys.Select(name => ("queueFaults", (string?)name)))
        .Where(named => named.Item2 is not null).Select(named => (named.Item1, named.Item2!));

    private static WebApplication Host(string url)
    {
        // The empty builder reads no environment, so variables meant for the service beside it change nothing here.
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Logging.AddSimpleConsole(o => o.SingleLine = true).SetMinimumLevel(LogLevel.Information)
            .AddFilter("Microsoft", LogLevel.Warning);
        builder.Services.AddRouting().Configure<RouteHandlerOptions>(o => o.ThrowOnBadRequest = true)
            .ConfigureHttpJsonOptions(
                o => o.SerializerOptions.Converters.Add(
                    new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower, allowIntegerValues: false)));
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(Parse(url)));
        return builder.Build();
    }

    private static IPEndPoint Parse(string url) =>
        Uri.TryCreate(url, UriKind.Absolute, out var uri) && uri.Scheme == "http" && IPAddress.TryParse(uri.Host, out var address)
            ? new IPEndPoint(address, uri.Port) :
        throw new ArgumentException($"'{url}' is not of the form http://ADDRESS:PORT.", nameof(url));

    private static Uri Address(WebApplication app) =>
        new(app.Services.GetRequiredService<IServer>().Features.GetRequiredFeature<IServerAddressesFeature>().Addresses.First());
}
