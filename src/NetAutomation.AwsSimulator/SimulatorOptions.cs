using System.Text.Json;
using System.Text.Json.Serialization;

namespace NetAutomation.AwsSimulator;

/// <summary>The simulated world at start, read from a JSON file.</summary>
internal sealed record SimulatorOptions
{
    public string Urls { get; init; } = "http://127.0.0.1:4566";
    public string ControlUrls { get; init; } = "http://127.0.0.1:4567";
    public string Region { get; init; } = "us-east-1";

    /// <summary>How long an endpoint stays `pending` or `deleting`.</summary>
    public int TransitionMilliseconds { get; init; } = 300;

    public Ec2Options Ec2 { get; init; } = new();
    public required string ProviderAccount { get; init; }
    public required IReadOnlyList<AccountOptions> Accounts { get; init; }
    public IReadOnlyList<ServiceOptions> Services { get; init; } = [];
    public NlbOptions LoadBalancer { get; init; } = new();
    public IReadOnlyList<string> Queues { get; init; } = [];

    /// <summary>SNS topic ARN to the queue that is subscribed to it.</summary>
    public IReadOnlyDictionary<string, string> Topics { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>Faults of the messages that AWS itself sends into a queue, by the queue's name.</summary>
    public IReadOnlyDictionary<string, QueueFaults> QueueFaults { get; init; } =
        new Dictionary<string, QueueFaults>(StringComparer.Ordinal);
    public MarketplaceOptions Marketplace { get; init; } = new();

    /// <summary>Ids of the provider's symmetric keys in AWS KMS.</summary>
    public IReadOnlyList<string> Keys { get; init; } = [];

    public static SimulatorOptions Load(string path)
    {
        using var stream = File.OpenRead(path);
        return JsonSerializer.Deserialize<SimulatorOptions>(stream, _format) ?? throw new JsonException("The file is empty.");
    }

    private static readonly JsonSerializerOptions _format = new(JsonSerializerDefaults.Web)
    {
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        ReadCommentHandling = JsonCommentHandling.Skip,
        AllowTrailingCommas = true,
        RespectNullableAnnotations = true,
    };
}

/// <summary>One access key; an account may have several.</summary>
/// <param name="SessionToken">Needed with temporary keys.</param>
/// <param name="ExpiresAt">End of a temporary key.</param>
internal sealed record AccountOptions(
    string Account, string AccessKey, string Secret, string? SessionToken = null, DateTimeOffset? ExpiresAt = null)
{
    /// <summary>ARN of the user, role session or root that holds the key.</summary>
    public string Principal { get; init; } = $"arn:aws:iam::{Account}:root";
}

/// <param name="PrivateDnsName">Verified by its TXT record after StartVpcEndpointServicePrivateDnsVerification.</param>
internal sealed record ServiceOptions(string Id, bool AcceptanceRequired = true, string? PrivateDnsName = null)
{
    public IReadOnlyList<string> AllowedPrincipals { get; init; } = [];

    /// <summary>Further Regions whose consumers may connect.</summary>
    public IReadOnlyList<string> SupportedRegions { get; init; } = [];
}

/// <param name="VisibilityMilliseconds">How long the provider's Describe does not yet show a new or changed endpoint.</param>
/// <param name="BucketCapacity">Calls an account may make at once before RequestLimitExceeded; 0 is without limit.</param>
/// <param name="FaultPercent">This share of calls fails, in an order that the seed decides.</param>
/// <param name="ItemFaultPercent">This share of endpoints in Accept and Reject fails as an item of a call that succeeds.</param>
internal sealed record Ec2Options(
    int VisibilityMilliseconds = 0, double BucketCapacity = 0, double RefillPerSecond = 20, int FaultPercent = 0, int ItemFaultPercent = 0,
    int FaultSeed = 1);

/// <summary>In percent of messages, in an order that the seed decides.</summary>
/// <param name="DelayMilliseconds">The longest delay.</param>
/// <param name="ReorderPercent">Put before a message that was sent earlier and is not received yet.</param>
internal sealed record QueueFaults(
    int DropPercent = 0, int DuplicatePercent = 0, int DelayPercent = 0, int DelayMilliseconds = 500, int ReorderPercent = 0,
    int Seed = 1);

/// <param name="EndpointNetwork">First network of the addresses given to endpoints that name none.</param>
/// <param name="IdleTimeoutSeconds">A flow silent for this long is reset, as by tcp.idle_timeout.seconds of a listener.</param>
internal sealed record NlbOptions(string EndpointNetwork = "127.20.0.0", double IdleTimeoutSeconds = 350)
{
    public IReadOnlyList<ListenerOptions> Listeners { get; init; } = [];
    public IReadOnlyList<TargetGroupOptions> TargetGroups { get; init; } = [];
}

/// <summary>An NLB listener; <paramref name="Direct"/> is the address where in-VPC clients reach it without PrivateLink.</summary>
internal sealed record ListenerOptions(int Port, string TargetGroup, string? Direct = null);

internal sealed record TargetGroupOptions(
    string Name, int Port, string Protocol = "TCP", string TargetType = "ip", bool PreserveClientIp = false, bool ProxyProtocolV2 = true,
    int DeregistrationDelaySeconds = 300)
{
    public HealthCheckOptions HealthCheck { get; init; } = new();
    public IReadOnlyList<TargetOptions> Targets { get; init; } = [];
}

internal sealed record TargetOptions(string Id, int? Port = null);

/// <param name="Protocol">TCP, HTTP or HTTPS.</param>
internal sealed record HealthCheckOptions(
    string Protocol = "TCP", string Path = "/healthz/ready", int? Port = null, int IntervalMilliseconds = 1000,
    int TimeoutMilliseconds = 2000, int HealthyThreshold = 2, int UnhealthyThreshold = 2);

/// <param name="EventQueue">Name of the queue that receives EventBridge events; none are sent when absent.</param>
/// <param name="NoticeQueue">Name of the queue that receives the notices of legacy products; none are sent when absent.</param>
/// <param name="IdenticalIsDuplicate">Whether a record sent again is answered DuplicateRecord; sources on AWS differ.</param>
/// <param name="FaultPercent">This share of metering calls fails, in an order that the seed decides.</param>
internal sealed record MarketplaceOptions(
    string ProductCode = "simulated-product-code", string? EventQueue = null, string? NoticeQueue = null, double TokenHours = 4,
    double MeteringHours = 6, bool IdenticalIsDuplicate = false, int FaultPercent = 0, int FaultSeed = 1)
{
    public IReadOnlyList<string> Dimensions { get; init; } = [];

    /// <summary>Further products, without concurrent agreements: metered by product code, with notices by SNS.</summary>
    public IReadOnlyList<string> LegacyProducts { get; init; } = [];
}
