using System.Collections.Frozen;
using System.Net;
using System.Text.Json;
using NetAutomation.AwsSimulator.Nlb;
using NetAutomation.AwsSimulator.State;
using NetAutomation.AwsSimulator.Wire;

namespace NetAutomation.AwsSimulator.Control;

/// <summary>Stands for AWS's staff and the consoles of other accounts: used by tests and the demo, never by the service.</summary>
internal sealed class ControlApi(
    SimulatorOptions options, PrivateLink privateLink, Ec2Faults ec2Faults, LoadBalancer loadBalancer, State.Marketplace marketplace,
    IReadOnlyDictionary<string, MessageQueue> queues, IReadOnlyList<KmsKey> keys, Front front, CallCounts counts)
{
    public sealed record CreateSubscriptionRequest(
        string? Account, string? ProductCode, IReadOnlyDictionary<string, int>? Entitlements, DateTimeOffset? ExpiresAt);

    public sealed record AmendRequest(IReadOnlyDictionary<string, int>? Entitlements, DateTimeOffset? ExpiresAt);

    public sealed record CreateEndpointRequest(
        string? Account, string? Service, string? ListenAddress, string? Region, int? VisibleAfterMilliseconds);

    public sealed record CreateManyRequest(
        string? Account, IReadOnlyList<string>? Accounts, string? Service, int Count, string? Region, string? State,
        int? VisibleAfterMilliseconds);

    /// <summary>Some endpoints and their change: an owner for recreate, a state for put, a code for faults.</summary>
    public sealed record ChangeManyRequest(
        IReadOnlyList<string>? VpceIds, double? Share, int? Seed, string? Account, IReadOnlyList<string>? States,
        int? VisibleAfterMilliseconds, string? Owner, string? State, string? Code, int? Times)
        : EndpointChoice(VpceIds, Share, Seed, Account, States)
    {
        internal TimeSpan? VisibleAfter => Milliseconds(VisibleAfterMilliseconds);
    }

    public sealed record TxtRequest(bool Published, string? Value);

    public sealed record OrderEc2FaultsRequest(string? Operation, IReadOnlyList<Ec2Fault>? Faults, int? Times);

    public sealed record SendMessageRequest(JsonElement? Body);

    public sealed record ReportRequest(
        string? Account, string? LicenseArn, string? ProductCode, string? Dimension, DateTimeOffset? Hour, int Quantity);

    public sealed record OrderFaultsRequest(string? Account, IReadOnlyList<MeteringFault>? Faults);

    private static readonly Dictionary<string, (string State, string DetailType)> _moves = new(StringComparer.Ordinal)
    {
        ["activate"] = ("active", LifecycleEvent.LicenseUpdated),
        ["fail"] = ("failed", LifecycleEvent.SubscribeFailed),
        ["end"] = ("ended", LifecycleEvent.AgreementEnded),
        ["deprovision"] = ("deprovisioned", LifecycleEvent.LicenseDeprovisioned),
    };

    public void Map(WebApplication app)
    {
        app.Use(ReportErrorsAsync);
        app.MapGet("/healthz", () => Results.Json(new { status = "ok" }));
        var control = app.MapGroup("/control");
        control.MapGet("/subscriptions", () => Results.Json(marketplace.Subscriptions().Select(View)));
        control.MapPost("/subscriptions", Subscribe);
        control.MapPost("/subscriptions/{id}:amend", Amend);
        foreach (var (verb, (state, detailType)) in _moves)
        {
            control.MapPost(
                $"/subscriptions/{{id}}:{verb}",
                (string id, [AsParameters] NoticeForm form) => Results.Json(View(marketplace.Move(id, state, detailType, form))));
        }
        control.MapGet("/endpoints", () => Results.Json(privateLink.Snapshot().Select(View)));
        control.MapPost("/endpoints", CreateEndpoint);
        control.MapPost("/endpoints:bulk", CreateMany);
        control.MapPost(
            "/endpoints:delete",
            (ChangeManyRequest request) => ChangeMany(request, e => privateLink.Delete(e.Owner, e.Id, request.VisibleAfter)));
        control.MapPost(
            "/endpoints:recreate",
            (ChangeManyRequest request) =>
                ChangeMany(request, e => privateLink.Recreate(e, RequireAccount(request.Owner ?? e.Owner), request.VisibleAfter)));
        control.MapPost(
            "/endpoints:put",
            (ChangeManyRequest request) => ChangeMany(request, e => privateLink.Put(e, request.State ?? "", request.VisibleAfter)));
        control.MapPost(
            "/endpoints:fault",
            (ChangeManyRequest request) =>
                ChangeMany(request, e => ec2Faults.OrderItems([e.Id], request.Code ?? "InternalError", request.Times ?? 1)));
        control.MapGet("/endpoints/{id}", (string id) => Results.Json(View(privateLink.Endpoint(id))));
        control.MapDelete("/endpoints/{id}", DeleteEndpoint);
        control.MapGet("/services", () => Results.Json(privateLink.Services.Select(View)));
        control.MapPost("/services/{id}/txt", PublishTxt);
        control.MapPut("/ec2", SetEc2);
        control.MapPost("/ec2/faults", OrderEc2Faults);
        control.MapGet("/calls", () => Results.Json(counts.All().Select(c => new { c.Operation, c.Calls, c.Refused })));
        control.MapGet(
            "/metering",
            (string? account) => Results.Json(new { records = marketplace.Metered().Where(r => account is null || r.Account == account) }));
        control.MapPost("/metering", Report);
        control.MapPost("/metering/faults", OrderFaults);
        control.MapGet("/queues", () => Results.Json(queues.Values.Select(View)));
        control.MapPost("/queues/{name}/messages", SendMessage);
        control.MapPut("/queues/{name}/faults", SetQueueFaults);
        control.MapPost("/keys/{id}:disable", (string id) => Enable(id, false));
        control.MapPost("/keys/{id}:enable", (string id) => Enable(id, true));
        control.MapGet("/nlb", () => Results.Json(Nlb()));
        app.MapFallback((HttpContext context) => Problem(404, "NotFound", $"There is no {context.Request.Method} {context.Request.Path}."));
    }

    private IResult Subscribe(CreateSubscriptionRequest request)
    {
        var subscription =
            marketplace.Subscribe(
                RequireAccount(request.Account), request.ProductCode, request.Entitlements ?? FrozenDictionary<string, int>.Empty,
                request.ExpiresAt);
        return Results.Json(View(subscription), statusCode: 201);
    }

    private IResult Amend(string id, AmendRequest request, [AsParameters] NoticeForm form) =>
        Results.Json(
            View(marketplace.Amend(id, request.Entitlements ?? FrozenDictionary<string, int>.Empty, request.ExpiresAt, form)));

    private IResult CreateEndpoint(CreateEndpointRequest request)
    {
        var account = RequireAccount(request.Account);
        IPAddress? address = null;
        if (request.ListenAddress is { } text && !IPAddress.TryParse(text, out address))
        {
            throw new AwsException("InvalidRequest", $"listenAddress '{text}' is not an IP address.");
        }
        var birth = new EndpointBirth(account, ServiceOf(request.Service), request.Region ?? options.Region)
        {
            Address = address, VisibleAfter = Milliseconds(request.VisibleAfterMilliseconds),
        };
        return Results.Json(View(privateLink.Create(birth)), statusCode: 201);
    }

    /// <summary>Endpoints without listeners, the accounts taking turns.</summary>
    private IResult CreateMany(CreateManyRequest request)
    {
        var accounts = (request.Accounts ?? [request.Account!]).Select(RequireAccount).ToList();
        if (accounts.Count == 0 || request.Count is < 1 or > 100_000)
        {
            throw new AwsException("InvalidRequest", "account or accounts is required, and a count from 1 to 100000.");
        }
        var service = ServiceOf(request.Service);
        var created = Enumerable.Range(0, request.Count)
            .Select(i => privateLink.Create(new EndpointBirth(accounts[i % accounts.Count], service, request.Region ?? options.Region)
            {
                Listens = false,
                State = request.State,
                VisibleAfter = Milliseconds(request.VisibleAfterMilliseconds),
            })).ToList();
        return Results.Json(new { endpoints = created.Select(e => new { vpceId = e.Id, account = e.Owner }) }, statusCode: 201);
    }

    private IResult ChangeMany(ChangeManyRequest request, Action<VpcEndpoint> change)
    {
        var chosen = privateLink.Choose(request);
        foreach (var endpoint in chosen)
        {
            change(endpoint);
        }
        return Results.Json(new { vpceIds = chosen.Select(e => e.Id) });
    }

    private string ServiceOf(string? asked) =>
        asked ?? (
            privateLink.Services.Count == 1
                ? privateLink.Services.First().Id
                    : throw new AwsException("InvalidRequest", "service is required: there is not exactly one endpoint service."));

    private IResult PublishTxt(string id, TxtRequest request)
    {
        var service = privateLink.Services.FirstOrDefault(s => s.Id == id)
            ?? throw new AwsException("NotFound", $"There is no endpoint service '{id}'.", 404);
        privateLink.PublishTxt(service, request.Published ? request.Value ?? service.PrivateDns?.TxtValue : null);
        return Results.Json(View(service));
    }

    private IResult SetEc2(Ec2Options request)
    {
        ec2Faults.Options = request;
        return Results.Json(request);
    }

    private IResult SetQueueFaults(string name, QueueFaults request)
    {
        Queue(name).SetFaults(request);
        return Results.Json(request);
    }

    private IResult Enable(string id, bool enabled)
    {
        var key = keys.FirstOrDefault(each => each.Id == id)
            ?? throw new AwsException("NotFoundException", $"There is no key '{id}'.", 404);
        key.Enabled = enabled;
        return Results.Json(new { key.Id, key.Arn, key.Enabled });
    }

    private IResult OrderEc2Faults(OrderEc2FaultsRequest request)
    {
        ec2Faults.Order(request.Operation, request.Faults ?? [], request.Times ?? 1);
        return Results.Json(new { ordered = (request.Faults?.Count ?? 0) * (request.Times ?? 1) }, statusCode: 201);
    }

    private IResult DeleteEndpoint(string id)
    {
        var endpoint = privateLink.Endpoint(id);
        if (privateLink.Delete(endpoint.Owner, id) is { } fault)
        {
            throw new AwsException("NotFound", fault.Message, 404);
        }
        return Results.Json(View(endpoint));
    }

    /// <summary>A usage report of another sender for the customer's hour.</summary>
    private IResult Report(ReportRequest request)
    {
        var hour = request.Hour ?? throw new AwsException("InvalidRequest", "hour is required.");
        var dimension = request.Dimension ?? throw new AwsException("InvalidRequest", "dimension is required.");
        var record = new MeteringRecord(
            Guid.NewGuid().ToString(), RequireAccount(request.Account), request.LicenseArn,
            request.ProductCode ?? marketplace.Product.ProductCode, dimension, hour, hour,
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
        var body = request.Body ?? throw new AwsException("InvalidRequest", "body is required.");
        return Results.Json(
            new { messageId = Queue(name).Send(body.ValueKind == JsonValueKind.String ? body.GetString()! : body.GetRawText()) },
            statusCode: 201);
    }

    private MessageQueue Queue(string name) => queues.GetValueOrDefault(name)
        ?? throw new AwsException("NotFound", $"There is no queue '{name}'.", 404);

    private static TimeSpan? Milliseconds(int? value) => value is { } milliseconds ? TimeSpan.FromMilliseconds(milliseconds) : null;

    private static string RequireAccount(string? account) =>
        account is { Length: 12 } && account.All(char.IsAsciiDigit)
            ? account : throw new AwsException("InvalidRequest", "account must be a 12-digit account id.");

    private static object View(Subscription s) => new
    {
        id = s.AgreementId,
        s.AgreementId,
        s.Account,
        s.State,
        s.ProductCode,
        s.LicenseArn,
        s.CustomerIdentifier,
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
        e.Region,
        shown = e.Shown,
        listenAddress = e.Address?.ToString(),
        addresses = options.LoadBalancer.Listeners.Where(_ => e.Address is not null)
            .Select(l => new { l.Port, l.TargetGroup, address = new IPEndPoint(e.Address!, l.Port).ToString() }),
    };

    private object View(EndpointService s) => new
    {
        s.Id,
        s.Name,
        s.AcceptanceRequired,
        principals = s.Principals.Keys,
        privateDnsName = s.PrivateDns?.Name,
        privateDnsState = s.PrivateDns is null ? null : privateLink.DnsState(s),
        txtName = s.PrivateDns?.TxtName,
        txtValue = s.PrivateDns?.TxtValue,
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
            targets =
                g.Targets.Select(
                    t => new
                    {
                        id = t.EndPoint.Address.ToString(), t.EndPoint.Port, t.State, t.Reason, t.Description,
                        openFlows = front.OpenFlows(t)
                    }).ToList(),
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
                await Problem(
                    context.Response.StatusCode, "InvalidRequest", "The request cannot be served: check the method and the content type.")
                        .ExecuteAsync(context);
            }
        }
        catch (AwsException fault)
        {
            await Problem(fault.Status, fault.Code, fault.Message).ExecuteAsync(context);
        }
        catch (BadHttpRequestException error)
        {
            await Problem(error.StatusCode, "InvalidRequest", error.InnerException is JsonException json ? json.Message : error.Message)
                .ExecuteAsync(context);
        }
    }

    private static IResult Problem(int status, string error, string message) => Results.Json(new { error, message }, statusCode: status);
}
