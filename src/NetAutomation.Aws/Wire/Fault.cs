using Amazon.Runtime;
using Amazon.Runtime.Internal;

namespace NetAutomation.Aws.Wire;

/// <summary>Chooses a service's exception type for an error code; an unmodelled code becomes the service's base exception.</summary>
internal static class Fault<TService> where TService : AmazonServiceException
{
    private static readonly Dictionary<string, Type> _modelled = typeof(TService).Assembly.GetTypes()
        .Where(t => t.IsSubclassOf(typeof(TService)))
        .ToDictionary(t => t.Name, StringComparer.Ordinal);

    public static AmazonServiceException From(ErrorResponse error)
    {
        // JSON services send the type's name, query services leave "Exception" off.
        var type = _modelled.GetValueOrDefault(error.Code ?? "") ?? _modelled.GetValueOrDefault(error.Code + "Exception")
            ?? typeof(TService);
        return (AmazonServiceException)Activator.CreateInstance(
            type, error.Message, error.InnerException, error.Type, error.Code, error.RequestId, error.StatusCode)!;
    }
}
