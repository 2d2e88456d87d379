namespace NetAutomation.AwsSimulator.Wire;

/// <summary>A request whose signature has been verified.</summary>
internal sealed record AwsCall(string Account, string Service, HttpRequest Http, byte[] Body, CancellationToken Aborted);
