using Amazon.Runtime;
using Amazon.Runtime.Endpoints;
using Amazon.Runtime.Internal;
using Amazon.SecurityToken;
using Amazon.Util.Internal;

namespace NetAutomation.Aws.Wire;

/// <summary>The part of a client's configuration that every service has: its names, and how its endpoint is found.</summary>
public abstract class ServiceConfig : ClientConfig
{
    // Timeouts and retry mode per defaults mode; the SDK generates the same table for every service.
    private static readonly DefaultConfigurationProvider _defaults =
        new(AmazonSecurityTokenServiceDefaultConfiguration.GetAllConfigurations());

    protected ServiceConfig(string serviceId, string endpointPrefix, string signingName, string version)
        : base(_defaults)
    {
        ServiceId = serviceId;
        AuthenticationServiceName = signingName;
        RegionEndpointServiceName = endpointPrefix;
        EndpointProvider = new RegionalEndpoint(endpointPrefix);
        ServiceVersion = version;
        UserAgent = InternalSDKUtils.BuildUserAgentString(serviceId, GetType().Assembly.GetName().Version!.ToString(3));
    }

    public override string RegionEndpointServiceName { get; }

    public override string ServiceVersion { get; }

    public override string UserAgent { get; }

    public override Endpoint DetermineServiceOperationEndpoint(ServiceOperationEndpointParameters parameters) => RegionalEndpoint.Of(this);
}
