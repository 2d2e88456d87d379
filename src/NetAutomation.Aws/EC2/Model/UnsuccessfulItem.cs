namespace Amazon.EC2.Model;

/// <summary>One resource an otherwise successful call could not change (EC2 API Reference, UnsuccessfulItem).</summary>
public class UnsuccessfulItem
{
    public UnsuccessfulItemError? Error { get; set; }
    public string? ResourceId { get; set; }
}

/// <summary>Why (EC2 API Reference, UnsuccessfulItemError).</summary>
public class UnsuccessfulItemError
{
    public string? Code { get; set; }
    public string? Message { get; set; }
}
