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
    public required IPAddress Address { get; set; }
    public required ConsumerSide Consumer { get; init; }
    public required string Region { get; init; }
    public string State { get; set; } = EndpointState.PendingAcceptance;
    public (string State, DateTimeOffset At)? Next { get; set; }

    public string DnsName => $"{Id}-{ConnectionId[^8..]}.{Service.Id}.{Region}.vpce.amazonaws.com";
}

/// <summary>What the consumer said at creation; never visible to the provider.</summary>
internal sealed record ConsumerSide(string VpcId, IReadOnlyList<string> SubnetIds, IReadOnlyList<string> SecurityGroupIds, string? ClientToken)
{
    public static readonly ConsumerSide Unknown = new("vpc-00000000000000000", [], [], null);
}

/// <summary>
/// create -> pendingAcceptance -> (accept) pending -> available; create -> pending -> available without acceptance;
/// (reject) pendingAcceptance | pending | available -> rejected; (consumer deletes) any -> deleting -> deleted.
/// </summary>
internal static class EndpointState
{
    public const string PendingAcceptance = "pendingAcceptance";
    public const string Pending = "pending";
    public const string Available = "available";
    public const string Rejected = "rejected";
    public const string Deleting = "deleting";
    public const string Deleted = "deleted";
}
