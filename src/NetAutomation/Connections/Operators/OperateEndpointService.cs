using Amazon.EC2;
using Amazon.EC2.Model;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Options;
using NetAutomation.Connections.Reconciling;
using NetAutomation.Web;

namespace NetAutomation.Connections.Operators;

/// <summary>The endpoint service of this cell.</summary>
/// <param name="Cell">The cell's name.</param>
/// <param name="ServiceId">Id of the endpoint service.</param>
/// <param name="ServiceName">What customers connect to.</param>
/// <param name="State">As EC2 shows it.</param>
/// <param name="AcceptanceRequired">False would let anyone in who may find the service.</param>
/// <param name="Principals">How many principals may find the service.</param>
/// <param name="PrivateDns">The private name; null where the service has none.</param>
/// <param name="Regions">From where customers may connect.</param>
public sealed record EndpointServiceView(
    string Cell, string ServiceId, string ServiceName, string State, bool AcceptanceRequired, int Principals, PrivateDnsView? PrivateDns,
    IReadOnlyList<ServiceRegionView> Regions);

/// <summary>A private name and the record that proves whose it is.</summary>
/// <param name="Name">The name customers may switch on once it is verified.</param>
/// <param name="State">pendingVerification, verified or failed.</param>
/// <param name="RecordType">Type of the record to publish in public DNS.</param>
/// <param name="RecordName">Its name.</param>
/// <param name="RecordValue">Its value.</param>
public sealed record PrivateDnsView(string Name, string State, string RecordType, string RecordName, string RecordValue);

/// <summary>A Region from which customers may connect.</summary>
/// <param name="Region">The Region.</param>
/// <param name="State">As EC2 shows it.</param>
public sealed record ServiceRegionView(string Region, string State);

internal static class OperateEndpointService
{
    public static Task<Results<Ok<EndpointServiceView>, Problem>> Show(
        IServiceProvider services, IOptions<ConnectionsOptions> options, IOptions<CellOptions> cell, CancellationToken cancel) =>
        Ask(services, options.Value.ServiceId, cell.Value.Name, verify: false, cancel);

    /// <summary>EC2 looks for the record now, and at no other time.</summary>
    public static Task<Results<Ok<EndpointServiceView>, Problem>> VerifyPrivateDns(
        IServiceProvider services, IOptions<ConnectionsOptions> options, IOptions<CellOptions> cell, CancellationToken cancel) =>
        Ask(services, options.Value.ServiceId, cell.Value.Name, verify: true, cancel);

    private static async Task<Results<Ok<EndpointServiceView>, Problem>> Ask(
        IServiceProvider services, string id, string cell, bool verify, CancellationToken cancel)
    {
        if (id.Length == 0)
        {
            return Web.Problems.NotFound.With("Onboarding:ServiceId names no endpoint service.");
        }

        // A process without an endpoint service may know no Region, without which there is no client.
        var ec2 = services.GetRequiredService<IAmazonEC2>();
        try
        {
            if (verify)
            {
                await ec2.StartVpcEndpointServicePrivateDnsVerificationAsync(
                    new StartVpcEndpointServicePrivateDnsVerificationRequest { ServiceId = id }, cancel);
            }

            var found =
                await ec2.DescribeVpcEndpointServiceConfigurationsAsync(
                    new DescribeVpcEndpointServiceConfigurationsRequest { ServiceIds = [id] }, cancel);
            var principals = await services.GetRequiredService<EndpointServiceApi>().Principals(cancel);
            return found.ServiceConfigurations is [var service]
                ? TypedResults.Ok(View(cell, service, principals.Count))
                    : Web.Problems.NotFound.With($"EC2 knows no endpoint service '{id}'.");
        }
        catch (AmazonEC2Exception fault) when ((int)fault.StatusCode == 400)
        {
            return Web.Problems.Conflict.With($"EC2 refuses: {fault.Message}");
        }
        catch (Exception fault) when (fault is AmazonEC2Exception or HttpRequestException or Amazon.Runtime.AmazonClientException)
        {
            return Web.Problems.Unavailable.With($"EC2 did not answer: {fault.Message}");
        }
    }

    private static EndpointServiceView View(string cell, ServiceConfiguration found, int principals) => new(
        cell,
        found.ServiceId!,
        found.ServiceName!,
        found.ServiceState?.Value ?? "unknown",
        found.AcceptanceRequired ?? false,
        principals,
        found is { PrivateDnsName: { Length: > 0 } name, PrivateDnsNameConfiguration: { } dns }
            ? new PrivateDnsView(name, dns.State?.Value ?? "unknown", dns.Type ?? "TXT", dns.Name ?? "", dns.Value ?? "") : null,
        [.. (found.SupportedRegions ?? []).Select(each => new ServiceRegionView(each.Region!, each.ServiceState ?? "unknown"))]);
}
