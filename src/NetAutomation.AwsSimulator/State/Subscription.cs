namespace NetAutomation.AwsSimulator.State;

/// <summary>A buyer's agreement and its licence: created -> active -> ended -> deprovisioned.</summary>
internal sealed class Subscription
{
    public required string Account { get; init; }
    public required string AgreementId { get; init; }
    public required string OfferId { get; init; }
    public required string ProductCode { get; init; }

    /// <summary>Null for a product without concurrent agreements: its customers are known by product and account.</summary>
    public required string? LicenseArn { get; init; }
    public required string RegistrationToken { get; init; }
    public required DateTimeOffset Created { get; init; }
    public required IReadOnlyDictionary<string, int> Entitlements { get; set; }
    public DateTimeOffset? ExpiresAt { get; set; }

    /// <summary>How a product without concurrent agreements names its customer; null for others.</summary>
    public required string? CustomerIdentifier { get; init; }
    public string State { get; set; } = "created";

    /// <summary>The hour of final usage lies between the end of the agreement and the licence's deprovisioning.</summary>
    public bool Meterable => State is "active" or "ended";
}

internal sealed record MeteringRecord(
    string MeteringRecordId, string Account, string? LicenseArn, string ProductCode, string Dimension, DateTimeOffset Timestamp,
    DateTimeOffset Hour, int Quantity, DateTimeOffset ReceivedAt, string? UsageAllocations);
