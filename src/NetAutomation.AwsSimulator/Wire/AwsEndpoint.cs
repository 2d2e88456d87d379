using System.Text.Json;
using System.Text.Json.Nodes;
using System.Xml.Linq;

namespace NetAutomation.AwsSimulator.Wire;

internal delegate XElement QueryOperation(QueryForm form);

internal delegate Task<JsonObject> JsonOperation(AwsCall call, JsonObject body);

/// <summary>One port for all services, told apart as AWS endpoints are by the signing name and the target header.</summary>
internal sealed partial class AwsEndpoint(
    Signature signature,
    IReadOnlyDictionary<string, QueryOperation> ec2,
    IReadOnlyDictionary<string, QueryOperation> elb,
    IReadOnlyDictionary<string, JsonOperation> json,
    ILogger<AwsEndpoint> log)
{
#pragma warning disable S5332 // XML namespaces, not addresses.
    private static readonly XNamespace Ec2 = "http://ec2.amazonaws.com/doc/2016-11-15/";
    private static readonly XNamespace Elb = "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/";
#pragma warning restore S5332

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
                "elasticloadbalancing" => ElbAsync(context, call, requestId),
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
            await WriteFaultAsync(context, new AwsException("SerializationException", "The request body is not valid JSON for this operation."), requestId);
        }
        catch (OperationCanceledException)
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

    private Task Ec2Async(HttpContext context, AwsCall call, string requestId)
    {
        var form = new QueryForm(call);
        var action = form.Required("Action");
        var result = Find(ec2, action)(form);
        result.Name = action + "Response";
        result.AddFirst(new XElement("requestId", requestId));
        return WriteXmlAsync(context, result, Ec2, 200);
    }

    private Task ElbAsync(HttpContext context, AwsCall call, string requestId)
    {
        var form = new QueryForm(call);
        var action = form.Required("Action");
        var result = Find(elb, action)(form);
        result.Name = action + "Result";
        return WriteXmlAsync(context, new XElement(action + "Response", result, new XElement("ResponseMetadata", new XElement("RequestId", requestId))), Elb, 200);
    }

    private async Task JsonAsync(HttpContext context, AwsCall call)
    {
        var target = call.Http.Headers["X-Amz-Target"].ToString();
        var body = JsonNode.Parse(call.Body.Length == 0 ? "{}"u8 : call.Body) as JsonObject ?? throw new JsonException();
        if (!json.TryGetValue(target, out var operation))
        {
            throw new AwsException("UnknownOperationException", $"The operation '{target}' is not simulated.");
        }
        await WriteJsonAsync(context, await operation(call, body), 200);
    }

    private static QueryOperation Find(IReadOnlyDictionary<string, QueryOperation> operations, string action) =>
        operations.TryGetValue(action, out var operation) ? operation : throw new AwsException("InvalidAction", $"The action {action} is not valid for this web service.");

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
        return context.Request.Headers.Authorization.ToString().Contains("/elasticloadbalancing/", StringComparison.Ordinal)
            ? WriteXmlAsync(context, new XElement("ErrorResponse", new XElement("Error", new XElement("Type", fault.Status < 500 ? "Sender" : "Receiver"), error), new XElement("RequestId", requestId)), Elb, fault.Status)
            : WriteXmlAsync(context, new XElement("Response", new XElement("Errors", new XElement("Error", error)), new XElement("RequestID", requestId)), XNamespace.None, fault.Status);
    }

    private static Task WriteXmlAsync(HttpContext context, XElement root, XNamespace space, int status)
    {
        foreach (var element in root.DescendantsAndSelf())
        {
            element.Name = space + element.Name.LocalName;
        }
        context.Response.StatusCode = status;
        context.Response.ContentType = "text/xml;charset=UTF-8";
        return context.Response.WriteAsync("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" + root.ToString(SaveOptions.DisableFormatting), context.RequestAborted);
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
