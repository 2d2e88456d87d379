namespace NetAutomation.AwsSimulator.Wire;

/// <summary>An error as AWS words it; each protocol writes it in its own form.</summary>
internal sealed class AwsException(string code, string message, int status = 400) : Exception(message)
{
    public string Code => code;
    public int Status => status;

    /// <summary>The Query-protocol code of a JSON error, sent in x-amzn-query-error by SQS.</summary>
    public string? QueryCode { get; init; }
}
