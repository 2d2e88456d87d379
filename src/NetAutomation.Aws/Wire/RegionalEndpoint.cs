using Amazon.Runtime;
using Amazon.Runtime.Endpoints;
using Amazon.Runtime.Internal;

namespace NetAutomation.Aws.Wire;

/// <summary>
/// The configured service URL, or <c>https://prefix.region.suffix</c> (AWS General Reference, "Service endpoints and quotas").
/// </summary>
internal sealed class RegionalEndpoint(string prefix) : IEndpointProvider
{
    public Endpoint ResolveEndpoint(EndpointParameters parameters)
    {
        var config = ((ConfiguredEndpoint)parameters).Config;
        if (!string.IsNullOrEmpty(config.ServiceURL))
            return new Endpoint(config.ServiceURL);
        // Their host names differ per service; a wrong guess would break the compliance boundary that the caller chose.
        if (config.UseFIPSEndpoint || config.UseDualstackEndpoint)
            throw new AmazonClientException("FIPS and dual-stack endpoints need the official AWS packages or an explicit ServiceURL.");
        var region = config.RegionEndpoint ?? throw new AmazonClientException("Neither a Region nor a service URL is configured.");
        return new Endpoint($"https://{prefix}.{region.SystemName}.{region.PartitionDnsSuffix}");
    }

    public static Endpoint Of(IClientConfig config) => config.EndpointProvider.ResolveEndpoint(new ConfiguredEndpoint { Config = config });
}

internal sealed class ConfiguredEndpoint : EndpointParameters
{
    public required IClientConfig Config { get; init; }
}

internal sealed class EndpointHandler : BaseEndpointResolver
{
    protected override EndpointParameters MapEndpointsParameters(IRequestContext requestContext) =>
        new ConfiguredEndpoint { Config = requestContext.ClientConfig };

    protected override void ServiceSpecificHandler(IExecutionContext executionContext, EndpointParameters parameters) =>
        InjectHostPrefix(executionContext.RequestContext);
}
