using Amazon.ElasticLoadBalancingV2;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Options;
using NetAutomation.Web;

namespace NetAutomation.Edge.Targets;

/// <summary>A target of one of the configured groups.</summary>
/// <param name="Listener">Which listener the group leads to.</param>
/// <param name="Group">The target group's name.</param>
/// <param name="Id">The target's address.</param>
/// <param name="Port">The target's port.</param>
/// <param name="State">As the load balancer sees it.</param>
/// <param name="Reason">Why, by the load balancer's code; null while healthy.</param>
/// <param name="Description">Why, for a person.</param>
/// <param name="ThisProcess">True for the process that answers.</param>
public sealed record TargetView(
    string Listener, string Group, string Id, int Port, string State, string? Reason, string? Description, bool ThisProcess);

internal static class ShowTargets
{
    public static async Task<Results<Ok<Page<TargetView>>, Problem>> List(
        IOptions<TargetsOptions> options, IServiceProvider services, CancellationToken cancel)
    {
        try
        {
            // A process without groups may know no Region, without which there is no client.
            return TypedResults.Ok(
                new Page<TargetView>(
                    options.Value.Groups().Any() ? await services.GetRequiredService<TargetGroups>().Describe(cancel) : [], null));
        }
        catch (Exception fault) when (
            fault is AmazonElasticLoadBalancingV2Exception or HttpRequestException or Amazon.Runtime.AmazonClientException)
        {
            return Problems.Unavailable.With($"AWS did not answer: {fault.Message}");
        }
    }
}
