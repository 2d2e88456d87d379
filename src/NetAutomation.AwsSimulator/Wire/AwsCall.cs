namespace NetAutomation.AwsSimulator.Wire;

/// <summary>A request whose signature has been verified.</summary>
internal sealed record AwsCall(AccountOptions Key, string Region, string Service, HttpRequest Http, byte[] Body, CancellationToken Aborted)
{
    public string Account => Key.Account;
}
