using Amazon.Runtime;

namespace Amazon.SQS.Model;

/// <summary>The message to delete (SQS API Reference, DeleteMessage).</summary>
public class DeleteMessageRequest : AmazonWebServiceRequest
{
    public string? QueueUrl { get; set; }
    public string? ReceiptHandle { get; set; }
}

/// <summary>The message is deleted.</summary>
public class DeleteMessageResponse : AmazonWebServiceResponse;
