using Amazon.Runtime;
using Amazon.Runtime.Credentials.Internal;
using Amazon.Runtime.Internal;
using Amazon.Runtime.Internal.Auth;
using Amazon.SecurityToken;

namespace NetAutomation.Aws.Wire;

/// <summary>What every generated client adds to the SDK's pipeline: its endpoint and SigV4.</summary>
internal static class Pipeline
{
    /// <summary>Timeouts and retry mode per defaults mode; the SDK generates the same table for every service.</summary>
    public static IDefaultConfigurationProvider Defaults { get; } =
        new DefaultConfigurationProvider(AmazonSecurityTokenServiceDefaultConfiguration.GetAllConfigurations());

    public static void Complete(RuntimePipeline pipeline)
    {
        pipeline.RemoveHandler<EndpointResolver>();
        pipeline.AddHandlerAfter<Marshaller>(new EndpointHandler());
        pipeline.AddHandlerAfter<EndpointHandler>(new SigV4Handler());
    }

    private sealed class SigV4Handler : BaseAuthResolverHandler
    {
        protected override List<IAuthSchemeOption> ResolveAuthOptions(IExecutionContext executionContext) => AuthSchemeOption.DEFAULT_SIGV4;
    }
}
