using System.Text.Json;
using Amazon.Runtime;
using Amazon.Runtime.Internal;
using Amazon.Runtime.Internal.Transform;

namespace NetAutomation.Aws.Wire;

/// <summary>Writes a request as one JSON document with the operation in <c>X-Amz-Target</c>.</summary>
internal sealed class JsonMarshaller(JsonDialect dialect) : IMarshaller<IRequest, AmazonWebServiceRequest>
{
    public IRequest Marshall(AmazonWebServiceRequest input)
    {
        var request = new DefaultRequest(input, dialect.ServiceName)
        {
            HttpMethod = "POST",
            ResourcePath = "/",
            Content = JsonSerializer.SerializeToUtf8Bytes(input, input.GetType(), WireJson.Options),
        };
        request.Headers["X-Amz-Target"] = $"{dialect.TargetPrefix}.{Operation.NameOf(input)}";
        request.Headers["Content-Type"] = dialect.ContentType;
        if (dialect.QueryCompatible)
            request.Headers["x-amzn-query-mode"] = "true";
        return request;
    }
}
