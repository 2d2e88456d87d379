using System.Net;
using System.Text.Json;
using Amazon.Runtime;
using Amazon.Runtime.Internal.Transform;
using Amazon.Runtime.Internal.Util;

namespace NetAutomation.Aws.Wire;

/// <summary>Reads the JSON protocols into a response or the service's typed exception.</summary>
internal sealed class JsonUnmarshaller<TResponse, TFault>(JsonDialect dialect) : JsonResponseUnmarshaller
    where TResponse : AmazonWebServiceResponse, new()
    where TFault : AmazonServiceException
{
    public override AmazonWebServiceResponse Unmarshall(JsonUnmarshallerContext input)
    {
        // An operation without output may answer with no body at all.
        if (Shape.MembersOf(typeof(TResponse)).Length == 0)
            return new TResponse();

        try
        {
            return JsonSerializer.Deserialize<TResponse>(input.Stream, WireJson.Options) ?? throw new JsonException("The answer is null.");
        }
        catch (Exception broken) when (broken is JsonException or FormatException or InvalidOperationException or ArgumentOutOfRangeException)
        {
            throw Broken.Answer(input, broken);
        }
    }

    public override AmazonServiceException UnmarshallException(JsonUnmarshallerContext input, Exception innerException, HttpStatusCode statusCode)
    {
        var reader = new StreamingUtf8JsonReader(input.Stream);
        var error = JsonErrorResponseUnmarshaller.GetInstance().Unmarshall(input, ref reader);
        error.InnerException = innerException;
        error.StatusCode = statusCode;
        var type = error.Code;
        // The header's older code goes into ErrorCode, the type still follows the body, as in the official client.
        if (dialect.QueryCompatible)
            AwsQueryCompatibleErrorHandler.ApplyQueryErrorHeader(error, input.ResponseData);
        return Fault<TFault>.From(type, error);
    }
}
