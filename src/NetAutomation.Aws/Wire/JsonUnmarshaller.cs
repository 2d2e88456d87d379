using System.Net;
using System.Text.Json;
using Amazon.Runtime;
using Amazon.Runtime.Internal.Transform;
using Amazon.Runtime.Internal.Util;

namespace NetAutomation.Aws.Wire;

/// <summary>Reads the JSON protocols into a response or the service's typed exception.</summary>
internal sealed class JsonUnmarshaller<TResponse, TFault> : JsonResponseUnmarshaller
    where TResponse : AmazonWebServiceResponse, new()
    where TFault : AmazonServiceException
{
    public override AmazonWebServiceResponse Unmarshall(JsonUnmarshallerContext input)
    {
        try
        {
            return JsonSerializer.Deserialize<TResponse>(input.Stream, WireJson.Options) ?? throw new JsonException("The answer is null.");
        }
        catch (Exception broken) when (
            broken is JsonException or FormatException or InvalidOperationException or ArgumentOutOfRangeException)
        {
            throw Broken.Answer(input, broken);
        }
    }

    public override AmazonServiceException UnmarshallException(
        JsonUnmarshallerContext input, Exception innerException, HttpStatusCode statusCode)
    {
        var reader = new StreamingUtf8JsonReader(input.Stream);
        var error = JsonErrorResponseUnmarshaller.GetInstance().Unmarshall(input, ref reader);
        error.InnerException = innerException;
        error.StatusCode = statusCode;
        return Fault<TFault>.From(error);
    }
}
