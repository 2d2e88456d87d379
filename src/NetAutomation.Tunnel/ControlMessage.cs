using System.Text.Json.Serialization;

namespace NetAutomation.Tunnel;

/// <summary>
/// One line of the control stream, service to connector. An unknown type becomes the bare base record and is skipped, so either end
/// may be newer.
/// </summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "type", IgnoreUnrecognizedTypeDiscriminators = true)]
[JsonDerivedType(typeof(Hello), "hello")]
[JsonDerivedType(typeof(Dial), "dial")]
[JsonDerivedType(typeof(Cut), "cut")]
[JsonDerivedType(typeof(Fences), "fences")]
[JsonDerivedType(typeof(Permit), "permit")]
[JsonDerivedType(typeof(Drain), "drain")]
public record ControlMessage;

/// <summary>First message of every link.</summary>
public sealed record Hello(string Session, string Replica, int MaxTunnels, DateTimeOffset ServerTime) : ControlMessage;

/// <summary>
/// Open a stream to a device. The id is random, used once, valid on this connection only. An exclusive stream raises the
/// device's fence; a shared one is refused below it. A dial of a run also counts as the run's permit.
/// </summary>
public sealed record Dial(string Id, string Device, string Host, int Port, string? Run, long Fence, bool Exclusive, int DeadlineMs)
    : ControlMessage;

/// <summary>
/// Reset every stream of the device or run with a lower fence, and refuse new ones. The connector answers with
/// PUT /v1/connector/cuts/{id} when none of them is open any more.
/// </summary>
public sealed record Cut(string Id, string? Device, string? Run, long BelowFence) : ControlMessage;

/// <summary>Raise fences of devices; streams below are reset.</summary>
public sealed record Fences(IReadOnlyList<DeviceFence> Devices) : ControlMessage;

public sealed record DeviceFence(string Device, long Fence);

/// <summary>Allows the run's streams for this time; without another permit they are cut.</summary>
public sealed record Permit(string Run, long Fence, int TtlMs) : ControlMessage;

/// <summary>Attach elsewhere; this link carries no new dials and ends with its last stream or at the deadline.</summary>
public sealed record Drain(int DeadlineMs) : ControlMessage;
