using System.Collections.Frozen;
using System.Net;
using System.Text.Json;
using NetAutomation.AwsSimulator.Nlb;
using NetAutomation.AwsSimulator.State;
using NetAutomation.AwsSimulator.Wire;

namespace NetAutomation.AwsSimulator.Control;

/// <summary>What AWS's own people and other accounts' consoles would do: seen by tests and the demo, never by the service.</summary>
internal sealed class ControlApi(
    SimulatorOptions options, PrivateLink privateLink, LoadBalancer loadBalancer, State.Marketplace marketplace,
    IReadOnlyDictionary<string, MessageQueue> queues, Front front)
{
    public sealed record CreateSubscriptionRequest(string? Account, string? ProductCode, IReadOnlyDictionary<string, int>? Entitlements, DateTimeOffset? ExpiresAt);

    public sealed record CreateEndpointRequest(string? Account, string? Service, string? ListenAddress);

    public sealed record SendMessageRequest(JsonElement? Body);

    public sealed record ReportRequest(string? Account, string? LicenseArn, string? ProductCode, string? Dimension, DateTimeOffset? Hour, int Quantity);

    public sealed record OrderFaultsRequest(string? Account, IReadOnlyList<string>? Faults);

    public void Map(WebApplication app)
    {
        app.Use(ReportErrorsAsync);
        app.MapGet("/healthz", () => Results.Json(new { status = "ok" }));
        var control = app.MapGroup("/control");
        control.MapGet("/subscriptions", () => Results.Json(marketplace.Subscriptions().Select(View)));
        control.MapPost("/subscriptions", Subscribe);
        control.MapPost("/subscriptions/{id}:activate", (string id) => Move(id, "active", LifecycleEvent.LicenseUpdated));
        control.MapPost("/subscriptions/{id}:end", (string id) => Move(id, "ended", LifecycleEvent.AgreementEnded));
        control.MapPost("/subscriptions/{id}:deprovision", (string id) => Move(id, "deprovisioned", LifecycleEvent.LicenseDeprovisioned));
        control.MapGet("/endpoints", () => Results.Json(privateLink.Snapshot().Select(View)));
        control.MapPost("/endpoints", CreateEndpoint);
        control.MapGet("/endpoints/{id}", (string id) => Results.Json(View(Endpoint(id))));
        control.MapDelete("/endpoints/{id}", DeleteEndpoint);
        control.MapGet("/metering", (string? account) => Results.Json(new { records = marketplace.Metered().Where(r => account is null || r.Account == account) }));
        control.MapPost("/metering", Report);
        control.MapPost("/metering/faults", OrderFaults);
        control.MapGet("/queues", () => Results.Json(queues.Values.Select(View)));
        control.MapPost("/queues/{name}/messages", SendMessage);
        control.MapGet("/nlb", () => Results.Json(Nlb()));
        app.MapFallback((HttpContext context) => Problem(404, "NotFound", $"There is no {context.Request.Method} {context.Request.Path}."));
    }

    private IResult Subscribe(CreateSubscriptionRequest request)
    {
        var subscription = marketplace.Subscribe(RequireAccount(request.Account), request.ProductCode, request.Entitlements ?? FrozenDictionary<string, int>.Empty, request.ExpiresAt);
        return Results.Json(View(subscription), statusCode: 201);
    }

    private IResult Move(string id, string state, string detailType) => Results.Json(View(marketplace.Move(id, state, detailType)));

    private IResult CreateEndpoint(CreateEndpointRequest request)
    {
        var account = RequireAccount(request.Account);
        IPAddress? address = null;
        if (request.ListenAddress is { } text && !IPAddress.TryParse(text, out address))
        {
            throw new AwsException("InvalidRequest", $"listenAddress '{text}' is not an IP address.");
        }
        var service = request.Service ?? (privateLink.Services.Count == 1 ? privateLink.Services.First().Id : throw new AwsException("InvalidRequest", "service is required: there is not exactly one endpoint service."));
        return Results.Json(View(privateLink.Create(account, service, ConsumerSide.Unknown, address)), statusCode: 201);
    }

    private IResult DeleteEndpoint(string id)
    {
        var endpoint = Endpoint(id);
        if (privateLink.Delete(endpoint.Owner, id) is { } fault)
        {
            throw new AwsException("NotFound", fault.Message, 404);
        }
        return Results.Json(View(endpoint));
    }

    /// <summary>A report of somebody else for the customer's hour.</summary>
    private IResult Report(ReportRequest request)
    {
        var hour = request.Hour ?? throw new AwsException("InvalidRequest", "hour is required.");
        var dimension = request.Dimension ?? throw new AwsException("InvalidRequest", "dimension is required.");
        var record = new MeteringRecord(
            Guid.NewGuid().ToString(), RequireAccount(request.Account), request.LicenseArn, request.ProductCode ?? marketplace.Product.ProductCode, dimension, hour, hour,
            request.Quantity, hour, null);
        var (status, recordId) = marketplace.Meter(record);
        return Results.Json(new { status, recordId }, statusCode: 201);
    }

    private IResult OrderFaults(OrderFaultsRequest request)
    {
        marketplace.Faults.Order(request.Account, request.Faults ?? []);
        return Results.Json(new { ordered = request.Faults?.Count ?? 0 }, statusCode: 201);
    }

    private IResult SendMessage(string name, SendMessageRequest request)
    {
        var queue = queues.GetValueOrDefault(name) ?? throw new AwsException("NotFound", $"There is no queue '{name}'.", 404);
        var body = request.Body ?? throw new AwsException("InvalidRequest", "body is required.");
        return Results.Json(new { messageId = queue.Send(body.ValueKind == JsonValueKind.String ? body.GetString()! : body.GetRawText()) }, statusCode: 201);
    }

    private VpcEndpoint Endpoint(string id) => privateLink.Snapshot().FirstOrDefault(e => e.Id == id)
        ?? throw new AwsException("NotFound", $"There is no endpoint '{id}'.", 404);

    private static string RequireAccount(string? account) =>
        account is { Length: 12 } && account.All(char.IsAsciiDigit) ? account : throw new AwsException("InvalidRequest", "account must be a 12-digit account id.");

    private static object View(Subscription s) => new
    {
        id = s.AgreementId,
        s.AgreementId,
        s.Account,
        s.State,
        s.ProductCode,
        s.LicenseArn,
        s.OfferId,
        s.RegistrationToken,
    };

    private object View(VpcEndpoint e) => new
    {
        vpceId = e.Id,
        connectionId = e.ConnectionId,
        account = e.Owner,
        service = e.Service.Id,
        serviceName = e.Service.Name,
        e.State,
        e.DnsName,
        listenAddress = e.Address.ToString(),
        addresses = options.LoadBalancer.Listeners.Select(l => new { l.Port, l.TargetGroup, address = new IPEndPoint(e.Address, l.Port).ToString() }),
    };

    private object View(MessageQueue queue)
    {
        var (visible, inFlight) = queue.Count();
        return new { queue.Name, url = $"{options.Urls}/{options.ProviderAccount}/{queue.Name}", visible, inFlight };
    }

    private object Nlb() => new
    {
        arn = LoadBalancer.ArnOf(options),
        targetGroups = loadBalancer.Read(() => loadBalancer.Groups.Select(g => new
        {
            g.Name,
            g.Arn,
            g.InUse,
            proxyProtocolV2 = g.Is(TargetGroup.ProxyProtocol),
            targets = g.Targets.Select(t => new { id = t.EndPoint.Address.ToString(), t.EndPoint.Port, t.State, t.Reason, t.Description, openFlows = front.OpenFlows(t) }).ToList(),
        }).ToList()),
        listeners = front.Listeners.Select(l => new
        {
            l.Port,
            targetGroup = l.Group.Name,
            endpoint = l.Endpoint?.Id,
            l.Endpoint?.State,
            address = l.Address.ToString(),
            accepted = Interlocked.Read(ref l.Accepted),
            refused = Interlocked.Read(ref l.Refused),
            bytesIn = Interlocked.Read(ref l.BytesIn),
            bytesOut = Interlocked.Read(ref l.BytesOut),
            openFlows = front.OpenFlows(l),
        }),
    };

    private static async Task ReportErrorsAsync(HttpContext context, RequestDelegate next)
    {
        try
        {
            await next(context);
            if (!context.Response.HasStarted && context.Response is { StatusCode: >= 400, ContentLength: null })
            {
                await Problem(context.Response.StatusCode, "InvalidRequest", "The request cannot be served: check the method and the content type.").ExecuteAsync(context);
            }
        }
        catch (AwsException fault)
        {
            await Problem(fault.Status, fault.Code, fault.Message).ExecuteAsync(context);
        }
        catch (BadHttpRequestException error)
        {
            await Problem(error.StatusCode, "InvalidRequest", error.InnerException is JsonException json ? json.Message : error.Message).ExecuteAsync(context);
        }
    }

    private static IResult Problem(int status, string error, string message) => Results.Json(new { error, message }, statusCode: status);
}
