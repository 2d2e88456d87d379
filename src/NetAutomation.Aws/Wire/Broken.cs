using Amazon.Runtime;
using Amazon.Runtime.Internal.Transform;
using Amazon.Util;

namespace NetAutomation.Aws.Wire;

/// <summary>The exception for a 200 whose body cannot be read, as the official unmarshallers throw it.</summary>
internal static class Broken
{
    public static AmazonUnmarshallingException Answer(UnmarshallerContext context, Exception reason) =>
        new(context.ResponseData.GetHeaderValue(HeaderKeys.RequestIdHeader), lastKnownLocation: "", reason,
            context.ResponseData.StatusCode);
}
