using System.Text.Json;
using System.Text.Json.Nodes;
using System.Xml.Linq;

namespace NetAutomation.AwsSimulator.Wire;

internal delegate XElement QueryOperation(QueryForm form);

internal delegate Task<JsonObject> JsonOperation(AwsCall call, JsonObject body);

/// <summary>What the simulator offers; JSON operations carry their service in their name.</summary>
internal sealed class Operations
{
    public Dictionary<string, QueryOperation> Ec2 { get; } = new(StringComparer.Ordinal);
    public Dictionary<string, QueryOperation> Elb { get; } = new(StringComparer.Ordinal);
    public Dictionary<string, QueryOperation> Sts { get; } = new(StringComparer.Ordinal);
    public Dictionary<string, JsonOperation> Json { get; } = new(StringComparer.Ordinal);

    public IEnumerable<string> Names() =>
        Ec2.Keys.Select(a => "ec2." + a).Concat(Elb.Keys.Select(a => "elb." + a)).Concat(Sts.Keys.Select(a => "sts." + a))
            .Concat(Json.Keys);
}

/// <summary>One port for all services, told apart as AWS endpoints are by the signing name and the target header.</summary>
internal sealed partial class AwsEndpoint(
    Signature signature, Operations operations, State.Ec2Faults faults, CallCounts counts, ILogger<AwsEndpoint> log)
{
#pragma warning disable S5332 // XML namespaces, not addresses.
    private static readonly XNamespace _ec2 = "http://ec2.amazonaws.com/doc/2016-11-15/";
    private static readonly XNamespace _elb = "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/";
#pragma warning restore S5332
    private static readonly XNamespace _sts = "https://sts.amazonaws.com/doc/2011-06-15/";

    public async Task HandleAsync(HttpContext context)
    {
        var requestId = Guid.NewGuid().ToString();
        context.Response.Headers["x-amzn-RequestId"] = requestId;
        try
        {
            var call = await signature.VerifyAsync(context);
            await (call.Service switch
            {
                "ec2" => Ec2Async(context, call, requestId),
                "elasticloadbalancing" => ResultAsync(context, call, "elb", operations.Elb, _elb, requestId),
                "sts" => ResultAsync(context, call, "sts", operations.Sts, _sts, requestId),
                "sqs" or "aws-marketplace" => JsonAsync(context, call),
                _ => throw new AwsException("InvalidAction", $"The service '{call.Service}' is not simulated."),
            });
        }
        catch (AwsException fault)
        {
            LogRefused(log, fault.Code, fault.Message);
            await WriteFaultAsync(context, fault, requestId);
        }
        catch (JsonException)
        {
            await WriteFaultAsync(
                context, new AwsException("SerializationException", "The request body is not valid JSON for this operation."), requestId);
        }
        catch (Exception gone) when (gone is OperationCanceledException or BadHttpRequestException)
        {
            // The caller went away, or an operation cuts the connection.
            context.Abort();
        }
        catch (Exception error)
        {
            LogFailed(log, error);
            await WriteFaultAsync(context, new AwsException("InternalError", "An internal error has occurred", 500), requestId);
        }
    }

    private async Task Ec2Async(HttpContext context, AwsCall call, string requestId)
    {
        var form = new QueryForm(call);
        var action = form.Required("Action");
        var operation = Find(operations.Ec2, action);
        var result =
            await counts.CountAsync("ec2." + action, () => Task.FromResult(faults.Around(call.Account, action, () => operation(form))));
        result.Name = action + "Response";
        result.AddFirst(new XElement("requestId", requestId));
        await WriteXmlAsync(context, result, _ec2, 200);
    }

    private async Task ResultAsync(
        HttpContext context, AwsCall call, string service, Dictionary<string, QueryOperation> offered, XNamespace space, string requestId)
    {
        var form = new QueryForm(call);
        var action = form.Required("Action");
        var operation = Find(offered, action);
        var result = await counts.CountAsync($"{service}.{action}", () => Task.FromResult(operation(form)));
        result.Name = action + "Result";
        await WriteXmlAsync(
            context, new XElement(action + "Response", result, new XElement("ResponseMetadata", new XElement("RequestId", requestId))),
            space, 200);
    }

    private async Task JsonAsync(HttpContext context, AwsCall call)
    {
        var target = call.Http.Headers["X-Amz-Target"].ToString();
        var body = JsonNode.Parse(call.Body.Length == 0 ? "{}"u8 : call.Body) as JsonObject ?? throw new JsonException();
        if (!operations.Json.TryGetValue(target, out var operation))
        {
            throw new AwsException("UnknownOperationException", $"The operation '{target}' is not simulated.");
        }
        await WriteJsonAsync(context, await counts.CountAsync(target, () => operation(call, body)), 200);
    }

    private static QueryOperation Find(Dictionary<string, QueryOperation> offered, string action) =>
        offered.TryGetValue(action, out var operation)
            ? operation : throw new AwsException("InvalidAction", $"The action {action} is not valid for this web service.");

    private static Task WriteFaultAsync(HttpContext context, AwsException fault, string requestId)
    {
        var error = new object[] { new XElement("Code", fault.Code), new XElement("Message", fault.Message) };
        if (context.Request.Headers.ContainsKey("X-Amz-Target"))
        {
            var (prefix, type) = context.Request.Headers["X-Amz-Target"].ToString().StartsWith("AmazonSQS.", StringComparison.Ordinal)
                ? ("com.amazonaws.sqs", fault.Code)
                : ("com.amazonaws.marketplace", fault.Code);
            if (fault.QueryCode is { } code)
            {
                context.Response.Headers["x-amzn-query-error"] = $"{code};{(fault.Status < 500 ? "Sender" : "Receiver")}";
            }
            return WriteJsonAsync(context, new JsonObject { ["__type"] = $"{prefix}#{type}", ["message"] = fault.Message }, fault.Status);
        }
        var space = Signature.ServiceOf(context.Request) switch { "elasticloadbalancing" => _elb, "sts" => _sts, _ => XNamespace.None };
        return space != XNamespace.None
            ? WriteXmlAsync(
                context,
                new XElement(
                    "ErrorResponse", new XElement("Error", new XElement("Type", fault.Status < 500 ? "Sender" : "Receiver"), error),
                    new XElement("RequestId", requestId)), space, fault.Status)
            : WriteXmlAsync(
                context,
                new XElement("Response", new XElement("Errors", new XElement("Error", error)), new XElement("RequestID", requestId)),
                XNamespace.None, fault.Status);
    }

    private static Task WriteXmlAsync(HttpContext context, XElement root, XNamespace space, int status)
    {
        foreach (var element in root.DescendantsAndSelf())
        {
            element.Name = space + element.Name.LocalName;
        }
        context.Response.StatusCode = status;
        context.Response.ContentType = "text/xml;charset=UTF-8";
        return context.Response.WriteAsync(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" + root.ToString(SaveOptions.DisableFormatting), context.RequestAborted);
    }

    private static Task WriteJsonAsync(HttpContext context, JsonObject body, int status)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = context.Request.ContentType ?? "application/x-amz-json-1.0";
        return context.Response.WriteAsync(body.ToJsonString(), context.RequestAborted);
    }

    [LoggerMessage(1, LogLevel.Information, "Refused: {Code}: {Message}")]
    private static partial void LogRefused(ILogger log, string code, string message);

    [LoggerMessage(2, LogLevel.Error, "A simulated operation failed")]
    private static partial void LogFailed(ILogger log, Exception error);
}
