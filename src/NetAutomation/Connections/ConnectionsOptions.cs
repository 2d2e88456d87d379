using System.ComponentModel.DataAnnotations;

namespace NetAutomation.Connections;

/// <summary>Section <c>Onboarding</c>, which Tenants and Registration share.</summary>
internal sealed class ConnectionsOptions : IValidatableObject
{
    /// <summary>Id of the endpoint service (vpce-svc-…); empty turns reconciling off.</summary>
    public string ServiceId { get; set; } = "";

    /// <summary>Name that customers connect to (com.amazonaws.vpce.REGION.vpce-svc-…).</summary>
    public string ServiceName { get; set; } = "";

    /// <summary>The Region of the endpoint service, by its name. EC2 shows an endpoint's own Region only where it is another one.</summary>
    public string Region => ServiceName.Split('.') is [.., "vpce", var region, _] ? region : "";

    /// <summary>The partition of that Region, which stands in every ARN.</summary>
    public string Partition => Region.StartsWith("cn-", StringComparison.Ordinal)
        ? "aws-cn" : Region.StartsWith("us-gov-", StringComparison.Ordinal) ? "aws-us-gov" : "aws";

    /// <summary>The queue that tells of endpoint connections (SNS in front of it); empty where EC2 is only polled.</summary>
    public string NotificationQueueUrl { get; set; } = "";

    /// <summary>
    /// The endpoint service's private DNS name is Edge:ServerName and verified, so that customers may switch private DNS on.
    /// </summary>
    public bool PrivateDns { get; set; }

    /// <summary>Between two looks at EC2 while nothing is on its way.</summary>
    public TimeSpan ReconcileInterval { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>Between two looks while a connection is on its way.</summary>
    public TimeSpan PendingInterval { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// For how long EC2 must have listed a connection no more until it is gone; three complete listings must lack it as well.
    /// </summary>
    public TimeSpan GoneAfter { get; set; } = TimeSpan.FromMinutes(2);

    /// <summary>How long a suspended tenant keeps its endpoints; zero: until the agreement ends.</summary>
    public TimeSpan RejectSuspendedAfter { get; set; }

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (ServiceId.Length > 0 && ServiceName.Length == 0)
        {
            yield return new("Onboarding:ServiceName is needed with Onboarding:ServiceId: customers are shown it.");
        }

        if (ReconcileInterval <= TimeSpan.Zero || PendingInterval <= TimeSpan.Zero)
        {
            yield return new("Onboarding:ReconcileInterval and Onboarding:PendingInterval are above zero.");
        }
    }
}
