using System.Net;

namespace NetAutomation.AwsSimulator.State;

/// <summary>The consumer's interface endpoint and the provider's connection: two views of one object.</summary>
internal sealed class VpcEndpoint
{
    public required long Sequence { get; init; }
    public required string Id { get; init; }
    public required string ConnectionId { get; init; }
    public required string Owner { get; init; }
    public required EndpointService Service { get; init; }
    public required DateTimeOffset Created { get; init; }

    /// <summary>Where its listeners are; null for an endpoint without any.</summary>
    public IPAddress? Address { get; set; }
    public required ConsumerSide Consumer { get; init; }

    /// <summary>Where the consumer is.</summary>
    public required string Region { get; init; }
    public string State { get; set; } = EndpointState.PendingAcceptance;
    public (string State, DateTimeOffset At)? Next { get; set; }

    /// <summary>The state that the provider's Describe shows; null while it does not list the endpoint.</summary>
    public string? Shown { get; set; }

    /// <summary>States that the provider's Describe does not show yet, in order.</summary>
    public Queue<(string State, DateTimeOffset At)> Showing { get; } = new();

    public string DnsName => $"{Id}-{ConnectionId[^8..]}.{Service.Id}.{Region}.vpce.amazonaws.com";
}

/// <summary>The consumer's settings at creation; never visible to the provider.</summary>
internal sealed record ConsumerSide(
    string VpcId, IReadOnlyList<string> SubnetIds, IReadOnlyList<string> SecurityGroupIds, string? ClientToken)
{
    public static readonly ConsumerSide Unknown = new("vpc-00000000000000000", [], [], null);
}

/// <summary>
/// create -> pendingAcceptance -> (accept) pending -> available; create -> pending -> available without acceptance;
/// (reject) pendingAcceptance | pending | available -> rejected; (consumer deletes) any -> deleting -> deleted; AWS: any -> failed |
/// expired.
/// </summary>
internal static class EndpointState
{
    public const string PendingAcceptance = "pendingAcceptance";
    public const string Pending = "pending";
    public const string Available = "available";
    public const string Rejected = "rejected";
    public const string Deleting = "deleting";
    public const string Deleted = "deleted";
    public const string Failed = "failed";
    public const string Expired = "expired";
}

/// <summary>Some endpoints: by id, and of those a share that the seed decides.</summary>
internal record EndpointChoice(
    IReadOnlyList<string>? VpceIds, double? Share, int? Seed, string? Account, IReadOnlyList<string>? States);

/// <summary>How an endpoint is created.</summary>
internal sealed record EndpointBirth(string Account, string Service, string Region)
{
    public IPAddress? Address { get; init; }

    /// <summary>False: an endpoint that nobody can connect through, of which there may be tens of thousands.</summary>
    public bool Listens { get; init; } = true;
    public string? State { get; init; }
    public TimeSpan? VisibleAfter { get; init; }
    public ConsumerSide Consumer { get; init; } = ConsumerSide.Unknown;
}
