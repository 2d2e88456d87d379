using Amazon.EC2;
using Amazon.EC2.Model;
using Microsoft.Extensions.Options;

namespace NetAutomation.Onboarding.Connections;

/// <summary>The EC2 calls about our endpoint service (EC2 API Reference, PrivateLink).</summary>
internal sealed class EndpointServiceApi(IAmazonEC2 ec2, IOptions<OnboardingOptions> options)
{
    private const int PageSize = 1000;
    private const int AtOnce = 25;

    private string ServiceId => options.Value.ServiceId;

    public async Task<List<Observed>> Connections(CancellationToken cancel)
    {
        var found = new List<Observed>();
        string? next = null;
        do
        {
            var request = new DescribeVpcEndpointConnectionsRequest
            {
                MaxResults = PageSize,
                NextToken = next,
                Filters = [new Filter { Name = "service-id", Values = [ServiceId] }],
            };
            var page = await ec2.DescribeVpcEndpointConnectionsAsync(request, cancel);
            found.AddRange((page.VpcEndpointConnections ?? []).Where(each => each.ServiceId == ServiceId).Select(Read));
            next = page.NextToken;
        }
        while (!string.IsNullOrEmpty(next));
        return found;
    }

    public async Task<HashSet<string>> Principals(CancellationToken cancel)
    {
        var found = new HashSet<string>(StringComparer.Ordinal);
        string? next = null;
        do
        {
            var page = await ec2.DescribeVpcEndpointServicePermissionsAsync(
                new DescribeVpcEndpointServicePermissionsRequest { ServiceId = ServiceId, MaxResults = PageSize, NextToken = next }, cancel);
            found.UnionWith((page.AllowedPrincipals ?? []).Select(each => each.Principal!));
            next = page.NextToken;
        }
        while (!string.IsNullOrEmpty(next));
        return found;
    }

    public Task ChangePrincipals(List<string> add, List<string> remove, CancellationToken cancel) => ec2.ModifyVpcEndpointServicePermissionsAsync(
        new ModifyVpcEndpointServicePermissionsRequest
        {
            ServiceId = ServiceId,
            AddAllowedPrincipals = add.Count == 0 ? null : add,
            RemoveAllowedPrincipals = remove.Count == 0 ? null : remove,
        },
        cancel);

    /// <summary>Accepts or rejects; answers the code of each item that EC2 did not do. A 200 says nothing about the items.</summary>
    public async Task<Dictionary<string, string>> Decide(bool accept, IReadOnlyList<string> endpoints, CancellationToken cancel)
    {
        var faults = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var chunk in endpoints.Chunk(AtOnce))
        {
            try
            {
                await Call(accept, chunk, faults, cancel);
            }
            catch (AmazonEC2Exception fault) when (chunk.Length > 1 && (int)fault.StatusCode == 400)
            {
                // One bad item refused the whole request; each is tried alone so that it holds up no other.
                foreach (var endpoint in chunk)
                {
                    await CallAlone(accept, endpoint, faults, cancel);
                }
            }
            catch (AmazonEC2Exception fault) when ((int)fault.StatusCode == 400)
            {
                faults[chunk[0]] = fault.ErrorCode;
            }
        }

        return faults;
    }

    private async Task CallAlone(bool accept, string endpoint, Dictionary<string, string> faults, CancellationToken cancel)
    {
        try
        {
            await Call(accept, [endpoint], faults, cancel);
        }
        catch (AmazonEC2Exception fault) when ((int)fault.StatusCode == 400)
        {
            faults[endpoint] = fault.ErrorCode;
        }
    }

    private async Task Call(bool accept, string[] endpoints, Dictionary<string, string> faults, CancellationToken cancel)
    {
        var items = accept
            ? (await ec2.AcceptVpcEndpointConnectionsAsync(
                new AcceptVpcEndpointConnectionsRequest { ServiceId = ServiceId, VpcEndpointIds = [.. endpoints] }, cancel)).Unsuccessful
            : (await ec2.RejectVpcEndpointConnectionsAsync(
                new RejectVpcEndpointConnectionsRequest { ServiceId = ServiceId, VpcEndpointIds = [.. endpoints] }, cancel)).Unsuccessful;
        foreach (var item in items ?? [])
        {
            faults[item.ResourceId ?? endpoints[0]] = item.Error?.Code ?? "unknown";
        }
    }

    private static Observed Read(VpcEndpointConnection each) => new(
        each.ServiceId!, each.VpcEndpointId!, each.VpcEndpointOwner!, new DateTimeOffset(each.CreationTimestamp!.Value.ToUniversalTime()),
        each.VpcEndpointState?.Value ?? "unknown", each.VpcEndpointConnectionId, each.VpcEndpointRegion);
}
