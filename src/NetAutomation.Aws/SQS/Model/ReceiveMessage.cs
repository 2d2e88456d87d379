using Amazon.Runtime;

namespace Amazon.SQS.Model;

/// <summary>From which queue, how many, how long (SQS API Reference, ReceiveMessage).</summary>
public class ReceiveMessageRequest : AmazonWebServiceRequest
{
    public int? MaxNumberOfMessages { get; set; }
    public List<string>? MessageSystemAttributeNames { get; set; }
    public string? QueueUrl { get; set; }
    public string? ReceiveRequestAttemptId { get; set; }
    public int? VisibilityTimeout { get; set; }
    public int? WaitTimeSeconds { get; set; }
}

/// <summary>The messages; null when there are none.</summary>
public class ReceiveMessageResponse : AmazonWebServiceResponse
{
    public List<Message>? Messages { get; set; }
}

/// <summary>A received message (SQS API Reference, Message).</summary>
public class Message
{
    public Dictionary<string, string>? Attributes { get; set; }
    public string? Body { get; set; }
    public string? MD5OfBody { get; set; }
    public string? MessageId { get; set; }
    public string? ReceiptHandle { get; set; }
}
