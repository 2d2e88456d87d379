using Amazon.Runtime;

namespace NetAutomation.Aws.Wire;

/// <summary>The operation a request is for: the SDK names request types after it.</summary>
internal static class Operation
{
    public static string NameOf(AmazonWebServiceRequest request) => request.GetType().Name[..^"Request".Length];
}
