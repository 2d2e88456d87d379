using System.ComponentModel.DataAnnotations;
using NetAutomation.Web.Evaluation;

namespace NetAutomation.Web.Rates;

/// <summary>
/// How often and how much at a time; section <c>Rates</c>. Each process counts by itself, so all processes together allow up to their
/// number times as much.
/// </summary>
internal sealed class RatesOptions : IValidatableObject
{
    /// <summary>
    /// Requests through one VPC endpoint, before anything is known of the caller. Those of connectors count by themselves.
    /// </summary>
    public Rate Endpoint { get; set; } = new() { PerSecond = 200, Burst = 2_000 };

    /// <summary>Connections through one VPC endpoint to one listener, before TLS.</summary>
    public Rate Connections { get; set; } = new() { PerSecond = 100, Burst = 2_000 };

    /// <summary>Requests of one tenant, before its key is looked at.</summary>
    public Rate Tenant { get; set; } = new() { PerSecond = 200, Burst = 2_000 };

    /// <summary>Requests with one API key.</summary>
    public Rate Key { get; set; } = new() { PerSecond = 100, Burst = 1_000 };

    /// <summary>Failed authentications through one VPC endpoint, and of one address at the operator listener.</summary>
    public Rate FailedAuthentications { get; set; } = new() { PerSecond = 5, Burst = 100 };

    /// <summary>Challenges for connectors through one VPC endpoint; each proof of a connector's key or join token needs one.</summary>
    public Rate Challenges { get; set; } = new() { PerSecond = 20, Burst = 500 };

    /// <summary>Requests of one address at the registration listener; a load balancer in front of it is one address.</summary>
    public Rate Visitors { get; set; } = new() { PerSecond = 50, Burst = 500 };

    /// <summary>Steps of costly evaluations that the requests of one tenant cause. The burst holds those of one request.</summary>
    public Rate EvaluationSteps { get; set; } = new() { PerSecond = 100_000, Burst = 300_000 };

    /// <summary>Requests of one tenant at a time, apart from streams.</summary>
    [Range(1, 100_000)]
    public int Requests { get; set; } = 200;

    /// <summary>Streams and requests that wait for news, of one tenant at a time.</summary>
    [Range(1, 100_000)]
    public int Streams { get; set; } = 200;

    /// <summary>Readers of the feed that wait, of one tenant at a time: each reads the database again and again.</summary>
    [Range(1, 100_000)]
    public int FeedReaders { get; set; } = 10;

    /// <summary>
    /// Database connections that the requests of one tenant hold at a time, and as many its connectors before they are attached.
    /// </summary>
    [Range(1, 1_000)]
    public int DatabaseConnections { get; set; } = 10;

    /// <summary>How long a request waits for a database connection before it is refused, in seconds.</summary>
    [Range(1, 60)]
    public int ConnectionWaitSeconds { get; set; } = 5;

    public int Most(AtATime kind) => kind switch
    {
        AtATime.Requests => Requests,
        AtATime.Streams => Streams,
        _ => FeedReaders,
    };

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        (string Name, Rate Rate)[] rates =
        [
            (nameof(Endpoint), Endpoint), (nameof(Connections), Connections), (nameof(Tenant), Tenant), (nameof(Key), Key),
            (nameof(FailedAuthentications), FailedAuthentications), (nameof(Challenges), Challenges), (nameof(Visitors), Visitors),
            (nameof(EvaluationSteps), EvaluationSteps),
        ];
        foreach (var (name, _) in rates.Where(
            each => each.Rate is not { PerSecond: >= 1 and <= 1_000_000, Burst: >= 1 and <= 1_000_000_000 }))
        {
            yield return new($"Rates:{name} has PerSecond from 1 to a million and Burst from 1 to a billion.");
        }

        if (EvaluationSteps.Burst < Evaluations.RequestSteps)
        {
            yield return new(
                $"Rates:{nameof(EvaluationSteps)} has a Burst of at least {Evaluations.RequestSteps}, which one request may take.");
        }
    }
}

/// <summary>What a tenant may do only so often at a time.</summary>
internal enum AtATime
{
    Requests,
    Streams,
    FeedReaders,
}

/// <summary>A bucket of tokens: it holds <c>Burst</c> and gets <c>PerSecond</c> back.</summary>
internal sealed record Rate
{
    public long PerSecond { get; init; }

    public long Burst { get; init; }

    /// <summary>The time in which an empty bucket becomes full, at least a second.</summary>
    public int WindowSeconds => (int)Math.Max(1, (Burst + PerSecond - 1) / PerSecond);
}
