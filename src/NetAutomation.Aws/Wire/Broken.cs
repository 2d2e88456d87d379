using Amazon.Runtime;
using Amazon.Runtime.Internal.Transform;
using Amazon.Util;

namespace NetAutomation.Aws.Wire;

/// <summary>A 200 whose body cannot be read, in the exception the official unmarshallers throw for it.</summary>
internal static class Broken
{
    public static AmazonUnmarshallingException Answer(UnmarshallerContext context, Exception reason) =>
        new(context.ResponseData.GetHeaderValue(HeaderKeys.RequestIdHeader), lastKnownLocation: "", reason,
            context.ResponseData.StatusCode);
}
