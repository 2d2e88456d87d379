using System.Text.Json;
using Amazon.Runtime;
using Amazon.Runtime.Internal;
using Amazon.Runtime.Internal.Transform;

namespace NetAutomation.Aws.Wire;

/// <summary>Writes a request as one JSON document with the operation in <c>X-Amz-Target</c>.</summary>
internal sealed class JsonMarshaller(string serviceName, string targetPrefix) : IMarshaller<IRequest, AmazonWebServiceRequest>
{
    public IRequest Marshall(AmazonWebServiceRequest input)
    {
        var request = new DefaultRequest(input, serviceName)
        {
            HttpMethod = "POST",
            ResourcePath = "/",
            Content = JsonSerializer.SerializeToUtf8Bytes(input, input.GetType(), WireJson.Options),
        };
        request.Headers["X-Amz-Target"] = $"{targetPrefix}.{Operation.NameOf(input)}";
        request.Headers["Content-Type"] = "application/x-amz-json-1.1";
        return request;
    }
}
