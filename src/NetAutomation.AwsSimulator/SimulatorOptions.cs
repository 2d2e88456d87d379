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

    /// <summary>What happens to what AWS itself sends into a queue, by the queue's name.</summary>
    public IReadOnlyDictionary<string, QueueFaults> QueueFaults { get; init; } =
        new Dictionary<string, QueueFaults>(StringComparer.Ordinal);
    public MarketplaceOptions Marketplace { get; init; } = new();

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
internal sealed record AccountOptions(string Account, string AccessKey, string Secret)
{
    /// <summary>Needed with temporary keys.</summary>
    public string? SessionToken { get; init; }

    /// <summary>End of a temporary key.</summary>
    public DateTimeOffset? ExpiresAt { get; init; }

    /// <summary>ARN of the user, role session or root that holds the key.</summary>
    public string Principal { get; init; } = $"arn:aws:iam::{Account}:root";
}

internal sealed record ServiceOptions(string Id)
{
    public bool AcceptanceRequired { get; init; } = true;
    public IReadOnlyList<string> AllowedPrincipals { get; init; } = [];

    /// <summary>Waits for its TXT record and for StartVpcEndpointServicePrivateDnsVerification.</summary>
    public string? PrivateDnsName { get; init; }

    /// <summary>Further Regions whose consumers may connect.</summary>
    public IReadOnlyList<string> SupportedRegions { get; init; } = [];
}

internal sealed record Ec2Options
{
    /// <summary>How long the provider's Describe does not yet show a new or changed endpoint.</summary>
    public int VisibilityMilliseconds { get; init; }

    /// <summary>Calls an account may make at once before RequestLimitExceeded; 0 is without limit.</summary>
    public double BucketCapacity { get; init; }
    public double RefillPerSecond { get; init; } = 20;

    /// <summary>This share of calls goes wrong, in an order that the seed decides.</summary>
    public int FaultPercent { get; init; }

    /// <summary>This share of endpoints in Accept and Reject fails as an item of a call that succeeds.</summary>
    public int ItemFaultPercent { get; init; }
    public int FaultSeed { get; init; } = 1;
}

/// <summary>In percent of messages, in an order that the seed decides.</summary>
internal sealed record QueueFaults
{
    public int DropPercent { get; init; }
    public int DuplicatePercent { get; init; }
    public int DelayPercent { get; init; }

    /// <summary>The longest delay.</summary>
    public int DelayMilliseconds { get; init; } = 500;

    /// <summary>Put before a message that was sent earlier and is not received yet.</summary>
    public int ReorderPercent { get; init; }
    public int Seed { get; init; } = 1;
}

internal sealed record NlbOptions
{
    public string Name { get; init; } = "edge";

    /// <summary>First network of the addresses given to endpoints that name none.</summary>
    public string EndpointNetwork { get; init; } = "127.20.0.0";

    /// <summary>The load balancer node's own address towards targets; the operating system chooses when absent.</summary>
    public string? SourceAddress { get; init; }

    /// <summary>A flow silent for this long is reset, as tcp.idle_timeout.seconds of a listener has it.</summary>
    public double IdleTimeoutSeconds { get; init; } = 350;

    public IReadOnlyList<ListenerOptions> Listeners { get; init; } = [];
    public IReadOnlyList<TargetGroupOptions> TargetGroups { get; init; } = [];
}

/// <summary>An NLB listener; <paramref name="Direct"/> is the address where in-VPC clients reach it without PrivateLink.</summary>
internal sealed record ListenerOptions(int Port, string TargetGroup, string? Direct = null);

internal sealed record TargetGroupOptions(string Name, int Port)
{
    public string Protocol { get; init; } = "TCP";
    public string TargetType { get; init; } = "ip";
    public bool PreserveClientIp { get; init; }
    public bool ProxyProtocolV2 { get; init; } = true;
    public int DeregistrationDelaySeconds { get; init; } = 300;
    public HealthCheckOptions HealthCheck { get; init; } = new();
    public IReadOnlyList<TargetOptions> Targets { get; init; } = [];
}

internal sealed record TargetOptions(string Id, int? Port = null);

internal sealed record HealthCheckOptions
{
    /// <summary>TCP, HTTP or HTTPS.</summary>
    public string Protocol { get; init; } = "TCP";
    public string Path { get; init; } = "/healthz/ready";
    public int? Port { get; init; }
    public int IntervalMilliseconds { get; init; } = 1000;
    public int TimeoutMilliseconds { get; init; } = 2000;
    public int HealthyThreshold { get; init; } = 2;
    public int UnhealthyThreshold { get; init; } = 2;
}

internal sealed record MarketplaceOptions
{
    public string ProductCode { get; init; } = "simulated-product-code";
    public string ProductId { get; init; } = "prod-simulated";
    public IReadOnlyList<string> Dimensions { get; init; } = [];
    /// <summary>Name of the queue that receives EventBridge events; none are sent when absent.</summary>
    public string? EventQueue { get; init; }
    public double TokenHours { get; init; } = 4;
    public double MeteringHours { get; init; } = 6;

    /// <summary>Further products, without concurrent agreements: metered by product code, with notices by SNS.</summary>
    public IReadOnlyList<string> LegacyProducts { get; init; } = [];

    /// <summary>Name of the queue that receives the notices of legacy products; none are sent when absent.</summary>
    public string? NoticeQueue { get; init; }

    /// <summary>Notices come without SNS's envelope (raw message delivery).</summary>
    public bool RawNotices { get; init; }

    /// <summary>Notices with the member names of older documentation.</summary>
    public bool PascalCaseNotices { get; init; }

    /// <summary>Whether a record sent again is answered DuplicateRecord; sources on AWS differ.</summary>
    public bool IdenticalIsDuplicate { get; init; }

    /// <summary>This share of metering calls goes wrong, in an order that the seed decides.</summary>
    public int FaultPercent { get; init; }
    public int FaultSeed { get; init; } = 1;
}
