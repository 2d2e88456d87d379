using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using System.Xml.Linq;

namespace NetAutomation.AwsSimulator.Wire;

internal delegate XElement QueryOperation(QueryForm form);

/// <summary>Answers an object with the members of the JSON answer; those that are null are left out.</summary>
internal delegate Task<object> JsonOperation(AwsCall call, JsonObject body);

/// <summary>What the simulator offers: Query operations as service.Action, JSON operations by their target.</summary>
internal sealed record Operations(IReadOnlyDictionary<string, QueryOperation> Query, IReadOnlyDictionary<string, JsonOperation> Json);

/// <summary>One port for all services. The signing name and the target header say which service a call is for.</summary>
internal sealed partial class AwsEndpoint(
    Signature signature, Operations operations, State.Ec2Faults faults, CallCounts counts, ILogger<AwsEndpoint> log)
{
#pragma warning disable S5332 // XML namespaces, not addresses.
    private static readonly XNamespace _ec2 = "http://ec2.amazonaws.com/doc/2016-11-15/";
    private static readonly XNamespace _elb = "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/";
#pragma warning restore S5332
    private static readonly XNamespace _sts = "https://sts.amazonaws.com/doc/2011-06-15/";
    private static readonly JsonSerializerOptions _json = new() { DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull };

    public async Task HandleAsync(HttpContext context)
    {
        var requestId = Guid.NewGuid().ToString();
        context.Response.Headers["x-amzn-RequestId"] = requestId;
        try
        {
            var call = await signature.VerifyAsync(context);
            await (call.Service switch
            {
                "ec2" => QueryAsync(context, call, "ec2", _ec2, requestId),
                "elasticloadbalancing" => QueryAsync(context, call, "elb", _elb, requestId),
                "sts" => QueryAsync(context, call, "sts", _sts, requestId),
                "sqs" or "aws-marketplace" or "kms" => JsonAsync(context, call),
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
            // The caller has gone, or a fault cuts the connection.
            context.Abort();
        }
        catch (Exception error)
        {
            LogFailed(log, error);
            await WriteFaultAsync(context, new AwsException("InternalError", "An internal error has occurred", 500), requestId);
        }
    }

    private async Task QueryAsync(HttpContext context, AwsCall call, string service, XNamespace space, string requestId)
    {
        var form = new QueryForm(call);
        var action = form.Required("Action");
        var name = $"{service}.{action}";
        if (!operations.Query.TryGetValue(name, out var operation))
        {
            throw new AwsException("InvalidAction", $"The action {action} is not valid for this web service.");
        }
        if (space == _ec2)
        {
            var answer = await counts.CountAsync(name, () => Task.FromResult(faults.Around(call.Account, action, () => operation(form))));
            answer.Name = action + "Response";
            answer.AddFirst(new XElement("requestId", requestId));
            await WriteXmlAsync(context, answer, space, 200);
            return;
        }
        var result = await counts.CountAsync(name, () => Task.FromResult(operation(form)));
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

    private static Task WriteFaultAsync(HttpContext context, AwsException fault, string requestId)
    {
        var error = new object[] { new XElement("Code", fault.Code), new XElement("Message", fault.Message) };
        if (context.Request.Headers.TryGetValue("X-Amz-Target", out var target))
        {
            var prefix = $"{target}".Split('.')[0] switch
            {
                "AmazonSQS" => "com.amazonaws.sqs",
                "TrentService" => "com.amazonaws.kms",
                _ => "com.amazonaws.marketplace",
            };
            if (fault.QueryCode is { } code)
            {
                context.Response.Headers["x-amzn-query-error"] = $"{code};{(fault.Status < 500 ? "Sender" : "Receiver")}";
            }
            return WriteJsonAsync(context, new { __type = $"{prefix}#{fault.Code}", message = fault.Message }, fault.Status);
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

    private static Task WriteJsonAsync(HttpContext context, object body, int status)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = context.Request.ContentType ?? "application/x-amz-json-1.0";
        return context.Response.WriteAsync(JsonSerializer.Serialize(body, _json), context.RequestAborted);
    }

    [LoggerMessage(1, LogLevel.Information, "Refused: {Code}: {Message}")]
    private static partial void LogRefused(ILogger log, string code, string message);

    [LoggerMessage(2, LogLevel.Error, "A simulated operation failed")]
    private static partial void LogFailed(ILogger log, Exception error);
}
