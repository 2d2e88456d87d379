using System.Text.Json.Serialization;

namespace NetAutomation.Tunnel;

/// <summary>Answer of GET /v1/connector/challenge. The nonce is valid once, on the same connection.</summary>
public sealed record Challenge(string Nonce);

/// <summary>Body of POST /v1/connector/join. The proof is a signed <see cref="JoinStatement"/>.</summary>
public sealed record JoinRequest(string Token, string PublicKey, string Proof, string Version);

public sealed record JoinReply(string Connector, string Site, string Name);

/// <summary>Body of PUT /v1/connector/dials/{id}: why there is no stream.</summary>
public sealed record DialFailure(string Code, string? Detail);

/// <summary>A connector signs this to bind its key; the digest of the token ties the proof to one join.</summary>
public sealed record JoinStatement(string Audience, string TokenSha256, string Nonce);

/// <summary>A connector signs this to attach.</summary>
/// <param name="Instance">Random, made when the process started and never stored.</param>
/// <param name="Generation">How often the state directory was started; two instances of one generation are two copies of it.</param>
public sealed record AttachStatement(
    string Audience, string Connector, string Link, string Nonce, DateTimeOffset IssuedAt, long HighestFence, string Version,
    string Instance, long Generation);

/// <summary>A connector signs this to ask for its status without attaching.</summary>
public sealed record CheckStatement(string Audience, string Connector, string Nonce, DateTimeOffset IssuedAt);

/// <summary>Answer of GET /v1/connector/check.</summary>
/// <param name="Links">Links of this connector that are attached now.</param>
/// <param name="UpdateTo">The newest release of the connector the service offers; null where it offers none.</param>
public sealed record CheckReply(int Links, string? UpdateTo);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UnmappedMemberHandling = JsonUnmappedMemberHandling.Skip,
    RespectRequiredConstructorParameters = true, RespectNullableAnnotations = true)]
[JsonSerializable(typeof(ControlMessage))]
[JsonSerializable(typeof(Challenge))]
[JsonSerializable(typeof(JoinRequest))]
[JsonSerializable(typeof(JoinReply))]
[JsonSerializable(typeof(DialFailure))]
[JsonSerializable(typeof(JoinStatement))]
[JsonSerializable(typeof(AttachStatement))]
[JsonSerializable(typeof(CheckStatement))]
[JsonSerializable(typeof(CheckReply))]
public sealed partial class TunnelJson : JsonSerializerContext;
